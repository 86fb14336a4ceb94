// Labels looked up by libselinux in the policy of an image, each path once.
import { rm } from "node:fs/promises";
import { BootcError } from "../../errors.ts";
import { openLibc } from "../../native/libc.ts";
import { type FileLabels, openFileLabels } from "../../native/selabel.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import type { LabelOf } from "../store/sink.ts";
import { type ContextsFile, writeContexts } from "./contexts.ts";
import type { ImagePolicy } from "./policy.ts";

/** The policies that a pull has to do with: mostly that of the base, which is that of the image as well. */
export interface LabelSource {
  /** Undefined when libselinux cannot be called: then ostree has to label. */
  open(policy: ImagePolicy): Promise<LabelOf | undefined>;
  /** No label can be looked up afterwards. */
  close(): void;
}

export function createLabelSource(repo: string): LabelSource {
  const open = new Map<string, OpenPolicy>();
  return {
    async open(policy) {
      const known = open.get(policy.key) ?? (await openPolicy(repo, policy));
      if (known !== undefined) open.set(policy.key, known);
      return known?.labelOf;
    },
    close() {
      for (const { labels } of open.values()) labels.close();
      open.clear();
    },
  };
}

interface OpenPolicy {
  readonly labels: FileLabels;
  readonly labelOf: LabelOf;
}

async function openPolicy(repo: string, policy: ImagePolicy): Promise<OpenPolicy | undefined> {
  // Whoever cannot set attributes has no use for labels.
  if (openLibc() === undefined) return undefined;
  const work = await makeWorkDirectory(repo);
  try {
    await writeContexts(work, contextsOf(policy));
    const labels = inPolicy(policy, () => openFileLabels(work));
    return labels && { labels, labelOf: lookingUpOnce(policy, labels) };
  } finally {
    // libselinux has read it all.
    await rm(work, { recursive: true, force: true });
  }
}

/** As in a checkout, all are of the same age. */
function contextsOf({ files }: ImagePolicy): readonly ContextsFile[] {
  return [...files].map(([name, content]) => ({ name, content, modifiedAt: new Date(0) }));
}

function lookingUpOnce(policy: ImagePolicy, labels: FileLabels): LabelOf {
  const known = new Map<string, Buffer | undefined>();
  const bytes = new Map<string | undefined, Buffer | undefined>([[undefined, undefined]]);
  return (path, mode) => {
    const key = `${mode >> 12}${path}`;
    if (known.has(key)) return known.get(key);
    const text = inPolicy(policy, () => labels.lookUp(path, mode));
    const label = bytes.get(text) ?? (text === undefined ? undefined : Buffer.from(`${text}\0`));
    bytes.set(text, label);
    known.set(key, label);
    return label;
  };
}

/** What libselinux refuses is the image's fault; a lack of memory and the like is not. */
function inPolicy<T>({ name }: ImagePolicy, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof BootcError)) throw cause;
    throw new BootcError(`the SELinux policy \`${name}\` of the image cannot be used`, {
      cause,
      hint: `correct the files below /etc/selinux/${name}/contexts/files in the image`,
    });
  }
}
