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

/** In the host's own mount namespace: the overlay is for everybody. */
export async function usrOverlay(ctx: Context, options: UsrOverlayOptions): Promise<void> {
  if ((await readHostKind(ctx)) !== "ostree") {
    throw new BootcError("usroverlay only applies on booted hosts", { kind: "unsupported" });
  }
  await requireRoot(ctx);
  const booted = (await readSysroot(ctx)).deployments.find((it) => it.isBooted);
  if (booted !== undefined && booted.unlocked !== "none") {
    throw new BootcError("an overlay is mounted on /usr already", {
      hint: "it stays until the next boot; `bootc status` tells of which kind it is",
    });
  }
  await unlockUsr(ctx, options.readOnly === true ? "transient" : "writable");
}
