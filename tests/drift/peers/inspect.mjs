// `node inspect.mjs QUERIES VERSION...`: what graphql-inspector says of each step between versions of a schema: a line of JSON each.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { diff, validate } from "@graphql-inspector/core";
import { buildSchema, Source } from "graphql";

const [folder, ...versions] = process.argv.slice(2);
// A file for each query, named as it is.
const documents = readdirSync(folder).map((name) => new Source(readFileSync(join(folder, name), "utf8"), name));

function read(version) {
  const started = performance.now();
  const schema = buildSchema(readFileSync(`node_modules/schema-${version}/schema.graphql`, "utf8"), { assumeValidSDL: true });
  return { schema, seconds: (performance.now() - started) / 1000 };
}

let before = read(versions[0]);
for (const [index, version] of versions.slice(1).entries()) {
  const after = read(version);
  const started = performance.now();
  const changes = await diff(before.schema, after.schema);
  const invalid = validate(after.schema, documents);
  const seconds = (performance.now() - started) / 1000 + before.seconds + after.seconds;
  console.log(
    JSON.stringify({
      from: versions[index],
      to: version,
      seconds,
      breaking: changes.filter((each) => each.criticality.level === "BREAKING").map((each) => each.path ?? each.message),
      dangerous: changes.filter((each) => each.criticality.level === "DANGEROUS").length,
      invalid: invalid.filter((each) => each.errors.length).map((each) => each.source.name),
    }),
  );
  before = after;
}
