// `bootc config-diff`: show how /etc differs from that of the booted image, or bring back what the image has.
import { join } from "node:path";
import { findChanges, type TreeChange } from "../drift/changes.ts";
import {
  type DriftEntry,
  type Entries,
  type ReadEntries,
  readTreeEntries,
} from "../drift/entries.ts";
import { documentChanges, formatChanges, quoteDriftPath } from "../drift/format.ts";
import { copyDirectoryItself, copyEntry } from "../drift/place.ts";
import { openLabelRules } from "../drift/policy-labels.ts";
import { decideRestore, parseRestorePath } from "../drift/restore.ts";
import { haveSameBytes } from "../drift/same-content.ts";
import { BootcError, doing } from "../errors.ts";
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { readHostKind } from "../sysroot/host-kind.ts";
import { deploymentDir } from "../sysroot/paths.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { requireRoot } from "../system/privileges.ts";

export interface ConfigDiffOptions {
  readonly json?: boolean;
  readonly restore?: readonly string[];
}

/** Works in the host's mount namespace: it changes nothing but /etc, which is writable there. */
export async function configDiff(ctx: Context, options: ConfigDiffOptions): Promise<void> {
  const asked = options.restore ?? [];
  for (const path of asked) parseRestorePath("/etc", path);
  const trees = await findTrees(ctx);
  const found = await compare(ctx, trees);
  if (asked.length > 0) return await restore(ctx, asked, { ...trees, ...found });
  const changes = found.changes;
  if (options.json === true) ctx.write(formatCanonicalJson(documentChanges("/etc", changes)));
  else for (const line of formatChanges(changes)) ctx.say(line);
}

interface Trees {
  /** The /etc that the image came with. */
  readonly image: string;
  readonly host: string;
  /** The label that the policy of this host wants. */
  readonly ruleFor: (path: string, entry: DriftEntry) => string | undefined;
}

async function findTrees(ctx: Context): Promise<Trees> {
  if ((await readHostKind(ctx)) !== "ostree") {
    throw new BootcError("config-diff requires a booted ostree host", { kind: "unsupported" });
  }
  await requireRoot(ctx);
  const booted = (await readSysroot(ctx)).deployments.find((it) => it.isBooted);
  if (booted === undefined) throw new BootcError("the booted deployment was not found");
  return {
    // An overlay on /usr does not cover this path.
    image: join(deploymentDir(ctx, booted), "usr/etc"),
    host: join(ctx.root, "etc"),
    ruleFor: await openLabelRules(ctx, "/etc"),
  };
}

interface Found {
  readonly before: Entries;
  readonly after: Entries;
  readonly changes: readonly TreeChange[];
}

async function compare(ctx: Context, { image, host, ruleFor }: Trees): Promise<Found> {
  return await doing("comparing /etc with the image", async () => {
    const before = readTreeEntries(image);
    const after = readTreeEntries(host);
    noteUnnamed(ctx, after);
    const changes = await findChanges({
      before: before.entries,
      after: after.entries,
      isSameContent: (path) => haveSameBytes(join(image, path), join(host, path)),
      labelFor: ruleFor,
    });
    return { before: before.entries, after: after.entries, changes };
  });
}

function noteUnnamed(ctx: Context, { unnamed }: ReadEntries): void {
  for (const path of unnamed) {
    ctx.note(`note: left out of ${quoteDriftPath(path)} what has a name that is not UTF-8`);
  }
}

async function restore(
  ctx: Context,
  asked: readonly string[],
  { image, host, ruleFor, before, after, changes }: Trees & Found,
): Promise<void> {
  const question = { directory: "/etc", image: before, host: after, changes };
  const steps = asked.flatMap((path) => decideRestore(question, path));
  const pair = { from: image, to: host, labelFor: ruleFor };
  if (steps.length === 0) ctx.say("Nothing to restore: this host has what the image has.");
  for (const { action, path } of steps) {
    await doing(`restoring \`/etc/${path}\``, () =>
      action === "copy" ? copyEntry(pair, path) : copyDirectoryItself(pair, path),
    );
    ctx.say(`Restored ${quoteDriftPath(path)}`);
  }
}
