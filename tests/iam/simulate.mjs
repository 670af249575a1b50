// Reads {policy, requests: [{action, resource, account, context}]} from standard input and writes one verdict per request:
// {result: "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied", error, wildcardOnly}.
import { isWildcardOnlyAction, runSimulation } from '@cloud-copilot/iam-simulate'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { policy, principal, requests } = JSON.parse(Buffer.concat(chunks).toString('utf8'))

// The package has API Gateway's actions with the resources of REST APIs only; those of HTTP and WebSocket APIs have the same ones
// (Service Authorization Reference, Amazon API Gateway Management V2). Under the names of REST's they can be judged.
const V2 = '::/apis/'
const REST = '::/restapis/'
const asRest = (arn) => arn.replace(V2, REST).replace(/\/accesslogsettings$/, '-accesslogsettings')
const askedOfV2 = (statement) => ({
  ...statement,
  Resource: [statement.Resource].flat().map((arn) => (arn.includes(REST) ? arn.replace(REST, '::/none/') : asRest(arn)))
})

const verdicts = []
for (const request of requests) {
  const [service, name] = request.action.split(':')
  const wildcardOnly = await isWildcardOnlyAction(service, name)
  const ofV2 = request.resource.includes(V2)
  const asked = ofV2 ? { ...policy, Statement: policy.Statement.map(askedOfV2) } : policy
  const simulation = {
    request: {
      principal,
      action: request.action,
      resource: { resource: wildcardOnly ? '*' : asRest(request.resource), accountId: request.account },
      contextVariables: request.context ?? {}
    },
    identityPolicies: [{ name: 'document', policy: asked }],
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
