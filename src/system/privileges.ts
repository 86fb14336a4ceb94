// What a process must be allowed before it changes the host.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "./context.ts";
import { readFileIfAny } from "./files.ts";

const CAP_SYS_ADMIN = 21n;

export async function requireRoot(ctx: Context): Promise<void> {
  if (process.geteuid?.() !== 0) {
    throw new BootcError("This command must be executed as the root user", {
      kind: "unsupported",
      hint: "run it with sudo",
    });
  }
  const status = await readFileIfAny(join(ctx.root, "proc/self/status"));
  if (status !== undefined && hasSysAdmin(status)) return;
  throw new BootcError("This command requires full root privileges (CAP_SYS_ADMIN)", {
    kind: "unsupported",
  });
}

/** The bounding set of /proc/PID/status holds CAP_SYS_ADMIN. */
export function hasSysAdmin(status: string): boolean {
  const hex = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return ((BigInt(`0x${hex}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}
