// `node serve.mjs KIND`: serve any SDL on a loopback port by a GraphQL server of npm; print the port.
// POST /control with an SDL serves it, with introspection after POST /control?introspection; GET /control returns the
// coordinates of all fields that were resolved since.

import { createServer } from "node:http";
import { once } from "node:events";
import { buildSchema, isIntrospectionType, isObjectType, NoSchemaIntrospectionCustomRule } from "graphql";

const resolved = [];

/** Build a schema whose fields note that they were resolved. */
function schemaOf(sdl) {
  const schema = buildSchema(sdl);
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || isIntrospectionType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      field.resolve = () => {
        resolved.push(`${type.name}.${field.name}`);
        return null;
      };
    }
  }
  return schema;
}

async function body(request) {
  let text = "";
  request.setEncoding("utf8");
  for await (const part of request) text += part;
  return text;
}

/** A handler of Apollo Server, of either version. */
async function apollo(module, schema, introspection, options = {}) {
  const { ApolloServer, HeaderMap } = await import(module);
  const server = new ApolloServer({
    schema,
    introspection,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    ...options,
  });
  await server.start();
  return async (request, response) => {
    const headers = new HeaderMap(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const reply = await server.executeHTTPGraphQLRequest({
      httpGraphQLRequest: { method: request.method, headers, search: "", body: JSON.parse(await body(request)) },
      context: async () => ({}),
    });
    response.writeHead(reply.status ?? 200, Object.fromEntries(reply.headers));
    response.end(reply.body.string);
  };
}

async function yoga(schema, introspection, plugins = []) {
  const { createYoga } = await import("graphql-yoga");
  const { useDisableIntrospection } = await import("@graphql-yoga/plugin-disable-introspection");
  return createYoga({
    schema,
    logging: false,
    plugins: introspection ? plugins : [useDisableIntrospection(), ...plugins],
  });
}

const rulesFor = (introspection) => (introspection ? [] : [NoSchemaIntrospectionCustomRule]);

const kinds = {
  "apollo-4": (schema, introspection) => apollo("@apollo/server-4", schema, introspection),
  "apollo-5": (schema, introspection) => apollo("@apollo/server", schema, introspection),
  "apollo-5-without-suggestions": (schema, introspection) =>
    apollo("@apollo/server", schema, introspection, { hideSchemaDetailsFromClientErrors: true }),
  "apollo-5-without-locations": (schema, introspection) =>
    apollo("@apollo/server", schema, introspection, { formatError: ({ message }) => ({ message }) }),
  "apollo-5-armor": async (schema, introspection) => {
    const { ApolloArmor } = await import("@escape.tech/graphql-armor");
    return apollo("@apollo/server", schema, introspection, new ApolloArmor().protect());
  },
  "graphql-http": async (schema, introspection) => {
    const { createHandler } = await import("graphql-http/lib/use/http");
    const validationRules = (_request, _arguments, rules) => [...rules, ...rulesFor(introspection)];
    return createHandler({ schema, validationRules });
  },
  mercurius: async (schema, introspection) => {
    const { default: fastify } = await import("fastify");
    const { default: mercurius } = await import("mercurius");
    const app = fastify();
    app.register(mercurius, { schema, validationRules: rulesFor(introspection) });
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  yoga,
  "yoga-armor": async (schema, introspection) => {
    const { EnvelopArmorPlugin } = await import("@escape.tech/graphql-armor");
    return yoga(schema, introspection, [EnvelopArmorPlugin()]);
  },
};

const make = kinds[process.argv[2]];
if (!make) throw new Error(`no such server: ${process.argv[2]}; there are ${Object.keys(kinds).join(", ")}`);
let handle;

async function control(request, response) {
  if (request.method === "POST") {
    handle = await make(schemaOf(await body(request)), request.url.endsWith("?introspection"));
    resolved.length = 0;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(resolved));
}

const server = createServer(async (request, response) => {
  try {
    await (request.url.startsWith("/control") ? control : handle)(request, response);
  } catch (error) {
    response.writeHead(500, { "content-type": "text/plain" });
    response.end(String(error?.stack ?? error));
  }
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log(server.address().port);
