// The privileges that a process needs before it changes the host.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "./context.ts";

const CAP_SYS_ADMIN = 21n;

export interface Privileges {
  readonly isRoot: boolean;
  /** CAP_SYS_ADMIN is in the bounding set. */
  readonly hasSysAdmin: boolean;
}

export async function requireRoot(ctx: Context): Promise<void> {
  const { isRoot, hasSysAdmin } = await readPrivileges(ctx);
  if (!isRoot) {
    throw new BootcError("This command must be executed as the root user", {
      kind: "unsupported",
      hint: "run it with sudo",
    });
  }
  if (hasSysAdmin) return;
  throw new BootcError("This command requires full root privileges (CAP_SYS_ADMIN)", {
    kind: "unsupported",
    hint: "run a container with `podman run --privileged`",
  });
}

export async function readPrivileges(ctx: Context): Promise<Privileges> {
  return parsePrivileges(await readFile(join(ctx.root, "proc/self/status"), "utf8"));
}

/** Format: proc_pid_status(5). */
export function parsePrivileges(status: string): Privileges {
  const effectiveUid = /^Uid:\s*\d+\s+(\d+)/m.exec(status)?.[1];
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return {
    isRoot: effectiveUid === "0",
    hasSysAdmin: ((BigInt(`0x${bounding}`) >> CAP_SYS_ADMIN) & 1n) === 1n,
  };
}
