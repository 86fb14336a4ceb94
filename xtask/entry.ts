// Where xtask starts, under the pinned Node.
import { main } from "./main.ts";

const status = await main(process.argv.slice(2));
// Output that could not be written may have set a status of its own.
process.exitCode ||= status;
