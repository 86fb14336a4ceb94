// Where xtask starts, under the pinned Node.
import { runToEnd } from "../src/process/run-to-end.ts";
import { main } from "./main.ts";

const words = process.argv.slice(2);
const form = { program: "xtask", isJson: false };
runToEnd(form, () => main(words, form));
