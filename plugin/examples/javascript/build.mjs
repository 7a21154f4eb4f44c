// node build.mjs OUT.wasm: makes the component of addon.js.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { componentize } from "@bytecodealliance/componentize-js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { component } = await componentize({
  sourcePath: here("addon.js"),
  witPath: here("../../../wit"),
  worldName: "sync-addon",
});
await writeFile(process.argv[2], component);
