// Rebooting: systemd is asked, and the command ends with the machine.
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../system/context.ts";

/**
 * Asks for a reboot and waits to be ended by it, so that the caller does not go on in between. systemd makes
 * it a soft reboot where /run/nextroot is prepared. Through systemd-run, so that it outlives our session.
 */
export async function reboot(ctx: Context): Promise<void> {
  await ctx.run("systemd-run", [
    "--quiet",
    "--",
    "systemctl",
    "reboot",
    "--message=Initiated by bootc",
  ]);
  const day = 24 * 60 * 60 * 1000;
  while (!ctx.signal.aborted) {
    // The shutdown's own signal is how this is meant to end.
    await sleep(day, undefined, { signal: ctx.signal }).catch(() => undefined);
  }
}
