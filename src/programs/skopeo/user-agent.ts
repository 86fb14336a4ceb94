// How skopeo names us to registries, whose operators see it in their logs.
import type { Context } from "../../system/context.ts";
import { VERSION } from "../../version.ts";

/** Answers by environment: one run of the program has one environment, and thus one skopeo. */
const known = new WeakMap<Context["env"], Promise<boolean>>();

/** What the user agent begins with; undefined for a skopeo that can only name itself. */
export async function readUserAgent(ctx: Context): Promise<string | undefined> {
  const answer = known.get(ctx.env) ?? askSkopeo(ctx);
  known.set(ctx.env, answer);
  try {
    return (await answer) ? `bootc/${VERSION}` : undefined;
  } catch (error) {
    // The failure may be an interruption, so the next caller asks again.
    if (known.get(ctx.env) === answer) known.delete(ctx.env);
    throw error;
  }
}

async function askSkopeo(ctx: Context): Promise<boolean> {
  return takesUserAgent(await ctx.read("skopeo", ["--version"], { endsWithUs: true }));
}

/** `--user-agent-prefix` came with skopeo 1.21. */
export function takesUserAgent(versionText: string): boolean {
  const [, major = 0, minor = 0] = (/\b(\d+)\.(\d+)/.exec(versionText) ?? []).map(Number);
  return major > 1 || (major === 1 && minor >= 21);
}
