// losetup: attaches a disk image in a file as a block device, for as long as we run.
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { PassThrough } from "node:stream";
import { BootcError, doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { openNameless } from "../../system/nameless-file.ts";

/**
 * Attaches `file`, passes its device to `work`, and detaches it however `work`, or this process, ends.
 * Refuses a file that is already attached, because two devices of one file do not see each other's users.
 */
export async function withLoopDevice<T>(
  ctx: Context,
  file: string,
  work: (device: string) => Promise<T>,
): Promise<T> {
  await requireDetached(ctx, file);
  const guard = await startGuard(ctx, file);
  try {
    const device = await doing(`attaching \`${file}\``, () => guard.device());
    return await work(device);
  } finally {
    await guard.release();
  }
}

async function requireDetached(ctx: Context, file: string): Promise<void> {
  const args = ["--noheadings", "--output", "NAME", "--associated", file];
  const text = await doing(`looking at \`${file}\``, () => ctx.read("losetup", args));
  const devices = text.split("\n").flatMap((line) => line.trim() || []);
  if (devices.length === 0) return;
  const names = devices.map((it) => `\`${it}\``).join(", ");
  throw new BootcError(`\`${file}\` is in use: it is attached to ${names}`, {
    kind: "busy",
    hint: `unmount what is on it and run \`losetup --detach ${devices.join(" ")}\``,
  });
}

/**
 * Attaches the device, waits until its standard input ends, and detaches the device. Its input ends even
 * when we are killed. It runs in its own session, so that Ctrl-C does not reach it, and ignores the signals
 * that we send to all our programs when we have to end: it must end last.
 */
const GUARD = `trap '' INT TERM HUP
device=$(losetup --show --find --partscan $2 "$1") || exit
echo "$device" >&3
cat > /dev/null
losetup --detach "$device"`;

async function startGuard(ctx: Context, file: string) {
  const direct = ctx.env.BOOTC_DIRECT_IO === "on" ? "--direct-io=on" : "";
  const input = new PassThrough();
  const answer = await openNameless(tmpdir());
  let failure: unknown;
  let hasEnded = false;
  const ended = ctx
    .run("setsid", ["--wait", "sh", "-c", GUARD, "sh", file, direct], {
      input,
      isQuiet: true,
      descriptors: [answer.fd],
    })
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      hasEnded = true;
    });
  return {
    async device(): Promise<string> {
      for (;;) {
        const text = await readFile(`/proc/self/fd/${answer.fd}`, "utf8");
        if (text.endsWith("\n")) return text.trim();
        if (hasEnded) throw failure ?? new BootcError("losetup did not print a device");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async release(): Promise<void> {
      input.end();
      await ended;
      await answer.close();
      if (failure !== undefined) throw failure;
    },
  };
}
