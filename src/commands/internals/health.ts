// `bootc internals health-…`: what /usr/lib/bootc/health asks bootc about a system that has just started.
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError } from "../../errors.ts";
import { describeHealth, formatHealthMotd } from "../../health/describe.ts";
import { describeFaults } from "../../health/faults.ts";
import { readTrialEnd } from "../../health/machine/read-trial.ts";
import { checkHealth } from "../../health/machine/run-checks.ts";
import { type HealthVerdict, withTrialEnd } from "../../health/trial.ts";
import { printableLines } from "../../printable.ts";
import type { Context } from "../../system/context.ts";
import { makeDirectories, replaceFile } from "../../system/files.ts";
import { requireRoot } from "../../system/privileges.ts";
import { changeState } from "../../updates/machine/change-state.ts";
import { readUpdatesConfig, requireRightConfig } from "../../updates/machine/read-config.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";

/** The message of the day, kept, and as pam_motd reads it: systemd-tmpfiles copies it at each boot. */
const MOTDS = ["var/lib/bootc/health/motd", "run/motd.d/60-bootc-health"];

/** Prints what is wrong, and fails if anything is. */
export async function healthCheck(
  ctx: Context,
  { limit }: { readonly limit?: number },
): Promise<void> {
  await requireRoot(ctx);
  const { settings } = await readUpdatesConfig(ctx);
  const limitMs = (limit ?? settings["health.limit_seconds"]) * 1000;
  const surroundings = REAL_SURROUNDINGS;
  const endMs = surroundings.now() + limitMs;
  const { faults, remarks } = await checkHealth(ctx, { settings, surroundings, endMs });
  if (faults.length > 0) for (const line of describeFaults(faults)) ctx.say(line);
  for (const { reason } of remarks) ctx.say(`note: ${reason}, which does not count`);
  if (faults.length > 0) throw new BootcError("this system is not healthy");
}

/** Remembers how a trial ended, for automatic updates and for people. */
export async function healthReport(
  ctx: Context,
  { verdict, proved }: { readonly verdict: HealthVerdict; readonly proved?: boolean },
): Promise<void> {
  await requireRoot(ctx);
  const nowMs = REAL_SURROUNDINGS.now();
  const end = await readTrialEnd(ctx, { verdict, isProved: proved === true, nowMs });
  const { health } = await changeState(ctx, nowMs, (state) => withTrialEnd(state, end));
  const paths = MOTDS.map((it) => join(ctx.root, it));
  if (health === undefined) {
    for (const path of paths) await rm(path, { force: true });
    return;
  }
  for (const path of paths) {
    await makeDirectories(dirname(path), 0o755);
    await replaceFile(path, printableLines(formatHealthMotd(health)), { mode: 0o644 });
  }
  ctx.say(describeHealth(health));
}

/** Prints the settings for a trial as words for a shell. `root` is that of another deployment. */
export async function healthSettings(
  ctx: Context,
  { root }: { readonly root?: string },
): Promise<void> {
  const config = await readUpdatesConfig(root === undefined ? ctx : { ...ctx, root });
  requireRightConfig(config);
  const { settings } = config;
  ctx.say(`enabled=${settings["health.enabled"]}`);
  ctx.say(`tries=${settings["health.tries"]}`);
  ctx.say(`limit=${settings["health.limit_seconds"]}`);
}
