// Detaches a loop device when the program that attached it ends.
import type { Context } from "../system/context.ts";
import { become } from "./become.ts";

/**
 * Waits for SIGTERM, which the kernel sends when our parent ends, and ignores what Ctrl-C sends to both.
 * A parent that has ended before the kernel was asked to tell is noticed by another parent.
 */
const WAIT = `trap '' INT HUP
detach() { trap '' TERM; kill "$!" 2>/dev/null; exec losetup --detach "$1"; }
trap 'detach "$1"' TERM
sleep infinity &
[ "$PPID" = "$2" ] || detach "$1"
wait "$!"`;

/** Replaces this process, and never returns. setpriv asks the kernel for the signal. */
export function becomeLoopCleanup(ctx: Context, device: string): never {
  const shell = ["sh", "-c", WAIT, "sh", device, String(process.ppid)];
  return become(ctx, "setpriv", ["--pdeathsig", "TERM", "--", ...shell]);
}
