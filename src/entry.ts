// Where the executable starts: passes this process's arguments to main and main's status to the system.
import { argvOfProcess } from "./cli/names.ts";
import { main } from "./main.ts";
import { runToEnd } from "./process/run-to-end.ts";

const words = argvOfProcess(process.argv0, process.argv.slice(2));
// A restart in a private mount namespace loses the name we were called by; the words keep its meaning.
process.argv.splice(2, process.argv.length, ...words);
const form = { program: "bootc", isJson: false };
runToEnd(form, () => main(words, form));
