// `bootc usr-overlay`: make /usr writable until the next boot.
import { BootcError } from "../errors.ts";
import { unlockUsr } from "../programs/ostree-admin.ts";
import type { Context } from "../system/context.ts";
import { readHostKind } from "../system/host-kind.ts";
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
  await unlockUsr(ctx, options.readOnly === true ? "transient" : "writable");
}
