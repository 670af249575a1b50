// Reads [{policy, kind, principal, action, resource, account, context}] from standard input and writes one verdict for each:
// "Allowed", "ImplicitlyDenied", "ExplicitlyDenied" or the errors. `kind` is identity, or resource (a role's trust policy, say):
// then the principal's own account allows everything.
import { runSimulation } from '@cloud-copilot/iam-simulate'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }

const verdicts = []
for (const asked of JSON.parse(Buffer.concat(chunks).toString('utf8'))) {
  const ofResource = asked.kind === 'resource'
  const outcome = await runSimulation(
    {
      request: {
        principal: asked.principal,
        action: asked.action,
        resource: { resource: asked.resource, accountId: asked.account },
        contextVariables: asked.context
      },
      identityPolicies: [{ name: 'identity', policy: ofResource ? everything : asked.policy }],
      resourcePolicy: ofResource ? asked.policy : undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    {}
  )
  verdicts.push(outcome.resultType === 'error' ? JSON.stringify(outcome.errors) : outcome.overallResult)
}
process.stdout.write(JSON.stringify(verdicts))
