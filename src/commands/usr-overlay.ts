// `bootc usr-overlay`: make /usr writable until the next boot.
import { BootcError } from "../errors.ts";
import { unlockUsr } from "../programs/ostree/admin.ts";
import { readHostKind } from "../sysroot/host-kind.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { requireRoot } from "../system/privileges.ts";

export interface UsrOverlayOptions {
  readonly readOnly?: boolean;
}

/** Works in the host's mount namespace, so that everybody sees the overlay. */
export async function usrOverlay(ctx: Context, options: UsrOverlayOptions): Promise<void> {
  if ((await readHostKind(ctx)) !== "ostree") {
    throw new BootcError("usroverlay only applies on booted hosts", { kind: "unsupported" });
  }
  await requireRoot(ctx);
  const booted = (await readSysroot(ctx)).deployments.find((it) => it.isBooted);
  if (booted !== undefined && booted.unlocked !== "none") {
    throw new BootcError("an overlay is already mounted on /usr", {
      hint: "it lasts until the next boot; `bootc status` shows what kind it is",
    });
  }
  await unlockUsr(ctx, options.readOnly === true ? "transient" : "writable");
}
