// losetup: a disk image in a file as a block device, for as long as we live.
import { PassThrough } from "node:stream";
import { doing } from "../errors.ts";
import type { Context } from "../system/context.ts";

/** Attaches `file`, gives its device to `work`, and detaches it however `work`, or we, end. */
export async function withLoopDevice<T>(
  ctx: Context,
  file: string,
  work: (device: string) => Promise<T>,
): Promise<T> {
  const direct = ctx.env.BOOTC_DIRECT_IO === "on" ? ["--direct-io=on"] : [];
  const device = await doing(`attaching \`${file}\``, async () =>
    (await ctx.read("losetup", ["--show", "--find", "--partscan", ...direct, file])).trim(),
  );
  const guard = startGuard(ctx, device);
  try {
    return await work(device);
  } finally {
    await guard.release();
  }
}

/**
 * A process that waits until its standard input ends, which it does even when we are killed, and then
 * detaches the device. In a session of its own, so that Ctrl-C reaches us and not it.
 */
function startGuard(ctx: Context, device: string) {
  const input = new PassThrough();
  const script = 'cat > /dev/null; exec losetup --detach "$1"';
  const ended = ctx.run("setsid", ["--wait", "sh", "-c", script, "sh", device], {
    input,
    isQuiet: true,
  });
  // Looked at in `release`; until then a failure is nobody's business.
  ended.catch(() => undefined);
  return {
    async release(): Promise<void> {
      input.end();
      await ended;
    },
  };
}
