// Where the executable starts: hands this process's arguments to main and its answer to the system.
import { argvOfProcess } from "./argv.ts";
import { main } from "./main.ts";

void main(argvOfProcess(process.argv0, process.argv.slice(2))).then((status) => {
  // Output that could not be written may have set a status of its own.
  process.exitCode ||= status;
});
