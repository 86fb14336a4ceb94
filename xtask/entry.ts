// Where xtask starts, under the pinned Node.
import { main } from "./main.ts";

process.exitCode = await main(process.argv.slice(2));
