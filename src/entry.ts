// Where the executable starts: hands this process's arguments to main and its answer to the system.
import { argvOfProcess } from "./cli/names.ts";
import { main } from "./main.ts";
import { runToEnd } from "./process/run-to-end.ts";

const words = argvOfProcess(process.argv0, process.argv.slice(2));
// Whoever starts us anew, in a mount namespace of our own, has our file's name to do it by, not ours.
process.argv.splice(2, process.argv.length, ...words);
const form = { program: "bootc", isJson: false };
runToEnd(form, () => main(words, form));
