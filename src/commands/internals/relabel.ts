// `bootc internals relabel`, `relabel-overlay-mountpoints`: give files the SELinux labels of this system.
import { lstatSync, readdirSync, type Stats } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { type Libc, openLibc } from "../../native/libc.ts";
import { type FileLabels, openFileLabels } from "../../native/selabel.ts";
import type { Context } from "../../system/context.ts";
import { requireRoot } from "../../system/privileges.ts";
import { readMount } from "../../system/root/mounts.ts";
import { findPolicy } from "../../system/selinux-policy.ts";

export interface RelabelOptions {
  readonly asPath?: string;
}

/** Labels `path` and everything below it on the same file system. Links are labelled, never followed. */
export async function relabel(ctx: Context, path: string, options: RelabelOptions): Promise<void> {
  const asked = options.asPath;
  if (asked?.startsWith("/") === false) {
    throw new BootcError(`\`${asked}\` is not an absolute path`, { kind: "usage" });
  }
  await requireRoot(ctx);
  await doing(`relabelling \`${path}\``, async () => {
    const top = await resolveParents(path);
    const found = lstatSync(top);
    const labeller = await openLabeller(ctx);
    if (labeller === undefined) throw withoutPolicy();
    try {
      const { changed, all } = labelTree(labeller, { file: top, as: asked ?? top, found });
      ctx.note(`relabelled ${changed} of ${all} files`);
    } finally {
      labeller.labels.close();
    }
  });
}

/** Where the kernel makes a new root directory for an overlay, that has no label of the policy yet. */
export async function relabelOverlayMountpoints(ctx: Context): Promise<void> {
  await requireRoot(ctx);
  const labeller = await openLabeller(ctx);
  if (labeller === undefined) return;
  try {
    for (const path of ["/", "/etc", "/var"]) {
      const mount = await readMount(ctx, path);
      if (mount?.type !== "overlay" || mount.isReadOnly) continue;
      const file = join(ctx.root, path);
      if (labelFile(labeller, { file, as: path, found: lstatSync(file) })) {
        ctx.note(`relabelled \`${path}\``);
      }
    }
  } finally {
    labeller.labels.close();
  }
}

interface Labeller {
  readonly libc: Libc;
  readonly labels: FileLabels;
}

/** Undefined when this system has no policy, or has SELinux disabled. */
async function openLabeller(ctx: Context): Promise<Labeller | undefined> {
  const policy = await findPolicy(ctx.root);
  if (policy === undefined) return undefined;
  const [libc, labels] = [openLibc(), openFileLabels(policy)];
  if (libc !== undefined && labels !== undefined) return { libc, labels };
  throw new BootcError("libselinux cannot be called", {
    kind: "unsupported",
    hint: "install it, or label with `restorecon` or `setfiles`",
  });
}

function withoutPolicy(): BootcError {
  return new BootcError("this system has no SELinux policy", {
    kind: "unsupported",
    hint: "`/etc/selinux/config` has to enable SELinux and to name a policy",
  });
}

/** The path without links in its directories; a link at its end stays. */
async function resolveParents(path: string): Promise<string> {
  const full = resolve(path);
  return full === "/" ? full : join(await realpath(dirname(full)), basename(full));
}

interface Labelled {
  readonly file: string;
  /** The path that the policy is asked about. */
  readonly as: string;
  readonly found: Stats;
}

function labelTree(labeller: Labeller, top: Labelled): { changed: number; all: number } {
  const count = { changed: 0, all: 0 };
  const visit = ({ file, as, found }: Labelled): void => {
    if (found.dev !== top.found.dev) return;
    count.all += 1;
    if (labelFile(labeller, { file, as, found })) count.changed += 1;
    if (!found.isDirectory()) return;
    for (const name of readdirSync(file)) {
      const path = join(file, name);
      const entry = lstatSync(path, { throwIfNoEntry: false });
      if (entry !== undefined) visit({ file: path, as: join(as, name), found: entry });
    }
  };
  visit(top);
  return count;
}

const ATTRIBUTE = "security.selinux";

/** Whether the label had to be changed. Where the policy has none, the label stays. */
function labelFile({ libc, labels }: Labeller, { file, as, found }: Labelled): boolean {
  const label = labels.lookUp(as, found.mode);
  if (label === undefined) return false;
  const value = Buffer.from(`${label}\0`);
  if (libc.getXattr(file, ATTRIBUTE)?.equals(value)) return false;
  libc.setXattr(file, ATTRIBUTE, value);
  return true;
}
