// Finds out the installed version of ostree, on which some features depend.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

export interface Ostree {
  /** `2025.2` */
  readonly version: string;
  /** The names under `Features`. */
  readonly features: ReadonlySet<string>;
}

/** Answers by environment: one run of the program has one environment, and thus one ostree. */
const known = new WeakMap<Context["env"], Promise<Ostree>>();

/** Asks ostree for its version and features, once per run. */
export async function readOstree(ctx: Context): Promise<Ostree> {
  const answer = known.get(ctx.env) ?? ctx.read("ostree", ["--version"]).then(parseOstree);
  known.set(ctx.env, answer);
  try {
    return await answer;
  } catch (error) {
    // The failure may be an interruption, so the next caller asks again.
    if (known.get(ctx.env) === answer) known.delete(ctx.env);
    throw error;
  }
}

export function parseOstree(text: string): Ostree {
  const version = /^\s*Version:\s*'?([0-9]+\.[0-9]+)/m.exec(text)?.[1];
  if (version === undefined) throw new BootcError("`ostree --version` printed no version");
  const features = new Set([...text.matchAll(/^\s*- (\S+)$/gm)].map(([, it = ""]) => it));
  return { version, features };
}

export function isAtLeast(version: string, wanted: string): boolean {
  const [year = 0, release = 0] = version.split(".").map(Number);
  const [wantedYear = 0, wantedRelease = 0] = wanted.split(".").map(Number);
  return year > wantedYear || (year === wantedYear && release >= wantedRelease);
}

/** Refuses an ostree that is too old for `what`. */
export async function requireOstreeVersion(
  ctx: Context,
  wanted: string,
  what: string,
): Promise<void> {
  const { version } = await readOstree(ctx);
  if (isAtLeast(version, wanted)) return;
  throw new BootcError(`${what} needs ostree ${wanted}, this host has ${version}`, {
    kind: "unsupported",
  });
}
