// `bootc internals allocate-cleanup-loopback` and `loopback-cleanup-helper`: loop devices that do not stay.
import { stat } from "node:fs/promises";
import { BootcError } from "../../errors.ts";
import { withLoopDevice } from "../../programs/disk/losetup.ts";
import { becomeLoopCleanup } from "../../programs/loop-cleanup.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";
import { requireRoot } from "../../system/privileges.ts";

export interface AllocateLoopbackOptions {
  readonly filePath: string;
}

/** Attaches a file and detaches it again, to test whether that works here. */
export async function allocateCleanupLoopback(
  ctx: Context,
  { filePath }: AllocateLoopbackOptions,
): Promise<void> {
  await requireRoot(ctx);
  const found = await stat(filePath).catch(ifMissing(undefined));
  if (found?.isFile() !== true) {
    throw new BootcError(`\`${filePath}\` is not a regular file`, { kind: "usage" });
  }
  await withLoopDevice(ctx, filePath, async (device) => {
    ctx.say(`Created loopback device: ${device}`);
  });
  ctx.say("Successfully closed loopback device");
}

export interface LoopbackCleanupOptions {
  readonly device: string;
}

/** Programs that start the helper set this, so that trying it out detaches nothing. */
const MARK = "BOOTC_LOOPBACK_CLEANUP_HELPER";

export async function loopbackCleanupHelper(
  ctx: Context,
  { device }: LoopbackCleanupOptions,
): Promise<void> {
  if (!ctx.env[MARK]) {
    throw new BootcError("only a program that attached a loop device starts this", {
      kind: "usage",
      hint: `such a program sets \`${MARK}\`; \`losetup --detach\` detaches a device`,
    });
  }
  if (!/^\/dev\/loop\d+$/.test(device)) {
    throw new BootcError(`\`${device}\` is not a loop device`, { kind: "usage" });
  }
  await requireRoot(ctx);
  becomeLoopCleanup(ctx, device);
}
