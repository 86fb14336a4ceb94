// `bootc updates release`: lets automatic updates have held images again.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { requireRoot } from "../../system/privileges.ts";
import { changeState } from "../../updates/machine/change-state.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";
import { withEvent } from "../../updates/state.ts";

/** Releases one image, or all without a `digest`. */
export async function updatesRelease(ctx: Context, digest: string | undefined): Promise<void> {
  await requireRoot(ctx);
  const nowMs = REAL_SURROUNDINGS.now();
  const released: string[] = [];
  await changeState(ctx, nowMs, (state) => {
    const isMeant = (it: { readonly digest: string }) => (digest ?? it.digest) === it.digest;
    released.push(...state.held.filter(isMeant).map((it) => it.digest));
    if (released.length === 0) return state;
    const held = state.held.filter((it) => !isMeant(it));
    const text = released.join(" ");
    return withEvent({ ...state, held }, { atMs: nowMs, event: "released", text });
  });
  if (digest !== undefined && released.length === 0) {
    throw new BootcError(`\`${digest}\` is not held`, {
      hint: "`bootc updates status` lists the held images",
    });
  }
  for (const it of released) ctx.say(`Released ${it}.`);
  if (released.length === 0) ctx.say("No image is held.");
}
