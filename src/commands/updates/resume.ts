// `bootc updates resume`: ends a pause.
import type { Context } from "../../system/context.ts";
import { requireRoot } from "../../system/privileges.ts";
import { changeState } from "../../updates/machine/change-state.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";
import { withEvent } from "../../updates/state.ts";

export async function updatesResume(ctx: Context): Promise<void> {
  await requireRoot(ctx);
  const nowMs = REAL_SURROUNDINGS.now();
  let wasPaused = false;
  await changeState(ctx, nowMs, (state) => {
    if (state.pause === undefined) return state;
    wasPaused = true;
    const resumed = { ...state, pause: undefined };
    return withEvent(resumed, { atMs: nowMs, event: "resumed", text: "resumed" });
  });
  ctx.say(wasPaused ? "Automatic updates go on." : "Automatic updates were not paused.");
}
