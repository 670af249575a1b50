// Reads {policy, requests: [{action, resource, account, context}]} from standard input and writes one verdict per request:
// {result: "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied", error, wildcardOnly}.
import { isWildcardOnlyAction, runSimulation } from '@cloud-copilot/iam-simulate'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { policy, principal, requests } = JSON.parse(Buffer.concat(chunks).toString('utf8'))

const verdicts = []
for (const request of requests) {
  const [service, name] = request.action.split(':')
  const wildcardOnly = await isWildcardOnlyAction(service, name)
  const simulation = {
    request: {
      principal,
      action: request.action,
      resource: { resource: wildcardOnly ? '*' : request.resource, accountId: request.account },
      contextVariables: request.context ?? {}
    },
    identityPolicies: [{ name: 'document', policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: []
  }
  const outcome = await runSimulation(simulation, {})
  if (outcome.resultType === 'error') {
    verdicts.push({ error: outcome.errors, wildcardOnly })
  } else {
    verdicts.push({ result: outcome.overallResult, wildcardOnly })
  }
}
process.stdout.write(JSON.stringify(verdicts))
