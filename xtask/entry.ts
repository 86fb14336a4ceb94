// Where xtask starts, under the pinned Node.
import { runToEnd } from "../src/process/run-to-end.ts";
import { runTask } from "./main.ts";

const words = process.argv.slice(2);
const form = { program: "xtask", isJson: false };
runToEnd(form, () => runTask(words, form));
