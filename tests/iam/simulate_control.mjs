// Reads {policy, requests: [{principal, action, resource, account, context}]} from standard input: a service control policy, and
// requests of principals whose own policy allows everything. Writes one verdict for each: "Allowed", "ExplicitlyDenied" or errors.
import { runSimulation } from '@cloud-copilot/iam-simulate'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { policy, requests } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }

const verdicts = []
for (const asked of requests) {
  const outcome = await runSimulation(
    {
      request: {
        principal: asked.principal,
        action: asked.action,
        resource: { resource: asked.resource, accountId: asked.account },
        contextVariables: asked.context ?? {}
      },
      identityPolicies: [{ name: 'identity', policy: everything }],
      serviceControlPolicies: [
        { orgIdentifier: 'r-root', policies: [{ name: 'FullAWSAccess', policy: everything }, { name: 'pci-config', policy }] }
      ],
      resourceControlPolicies: []
    },
    {}
  )
  verdicts.push(outcome.resultType === 'error' ? JSON.stringify(outcome.errors) : outcome.overallResult)
}
process.stdout.write(JSON.stringify(verdicts))
