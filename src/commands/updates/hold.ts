// `bootc updates hold`: keeps automatic updates from one image.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { requireRoot } from "../../system/privileges.ts";
import { changeState } from "../../updates/machine/change-state.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";
import { withEvent } from "../../updates/state.ts";

export async function updatesHold(ctx: Context, digest: string): Promise<void> {
  requireDigestForm(digest);
  await requireRoot(ctx);
  const nowMs = REAL_SURROUNDINGS.now();
  await changeState(ctx, nowMs, (state) => {
    if (state.held.some((it) => it.digest === digest)) return state;
    const held = [...state.held, { digest, sinceMs: nowMs }];
    return withEvent({ ...state, held }, { atMs: nowMs, event: "held", text: digest });
  });
  ctx.say(`Automatic updates leave out ${digest}.`);
}

function requireDigestForm(digest: string): void {
  if (/^sha256:[0-9a-f]{64}$/.test(digest)) return;
  throw new BootcError(`\`${digest}\` is not a digest`, {
    kind: "usage",
    hint: "`bootc status` and `bootc updates status` show digests of the form `sha256:…`",
  });
}
