// Labels looked up by libselinux in the policy of an image.
import { BootcError } from "../../errors.ts";
import { openLibc } from "../../native/libc.ts";
import {
  type FileLabels,
  type LabelsOptions,
  openFileLabels,
  placeOf,
} from "../../native/selabel.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import { removeTreeSync } from "../../system/files.ts";
import type { LabelOf } from "../store/sink.ts";
import { usableContexts, writeContexts } from "./contexts.ts";
import { labelOfNewFiles } from "./of-new-files.ts";
import { divideContexts, type PolicyPart } from "./parts.ts";
import type { ImagePolicy } from "./policy.ts";
import type { ContextFiles } from "./rules.ts";

/** The policies that a pull has to do with: mostly that of the base, which is that of the image as well. */
export interface LabelSource {
  /** Undefined when libselinux cannot be called: then ostree has to label. */
  open(policy: ImagePolicy): Promise<LabelOf | undefined>;
  /** The label of new files, for whatever no policy labels; undefined where the kernel gives them none. */
  ofNewFiles(): Promise<LabelOf | undefined>;
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
    ofNewFiles: () => labelOfNewFiles(repo, openLibc()),
    close() {
      for (const it of open.values()) it.close();
      open.clear();
    },
  };
}

interface OpenPolicy {
  readonly labelOf: LabelOf;
  close(): void;
}

async function openPolicy(
  repo: string,
  { name, readFiles }: ImagePolicy,
): Promise<OpenPolicy | undefined> {
  // Whoever cannot set attributes has no use for labels.
  if (openLibc() === undefined) return undefined;
  const work = await makeWorkDirectory(repo);
  const files = await readFiles();
  const labels = inPolicy(name, () => openPreferred(files, work));
  return labels && { labelOf: inBytes(name, labels), close: () => labels.close() };
}

/**
 * The policy by its compiled form alone if libselinux takes that. It prefers this form to a text of the same
 * age, and with one of them only, parts are smaller.
 */
function openPreferred(files: ContextFiles, work: string): FileLabels | undefined {
  if (files.has("file_contexts.bin")) {
    const compiled = new Map([...files].filter(([name]) => !files.has(`${name}.bin`)));
    try {
      return openInParts(compiled, work);
    } catch (error) {
      if (!files.has("file_contexts") || !(error instanceof BootcError)) throw error;
    }
  }
  return openInParts(files, work);
}

/** Those of a policy that cannot be divided; parts have no serialized expressions at all. */
function usableFiles(files: ContextFiles): ContextFiles {
  const all = [...files].map(([name, content]) => ({ name, content }));
  return new Map(usableContexts(all).map(({ name, content }) => [name, content]));
}

/** The policy in `files`, of which small parts are opened. Undefined when libselinux cannot be called. */
function openInParts(files: ContextFiles, work: string): FileLabels | undefined {
  const parts = divideContexts(files);
  // What is wrong with the policy is found out here.
  const whole = openFiles(parts?.whole.files() ?? usableFiles(files), work);
  if (whole === undefined || parts === undefined) return whole;
  // The one used last comes last.
  const opened = new Map<PolicyPart, FileLabels>();
  const open = (part: PolicyPart) => {
    const labels = opened.get(part) ?? openFiles(part.files(), work, { isPart: true });
    if (labels === undefined) throw new Error("unreachable: libselinux was there before");
    opened.delete(part);
    opened.set(part, labels);
    closeOldest(opened);
    return labels;
  };
  return {
    lookUp: (path, mode) => open(parts.partFor(placeOf(path))).lookUp(path, mode),
    close() {
      for (const it of [whole, ...opened.values()]) it.close();
    },
  };
}

/** Each takes 0.1 MB of memory or more, and paths come directory by directory. */
const OPEN_MAX = 24;

function closeOldest(opened: Map<PolicyPart, FileLabels>): void {
  const [oldest] = opened;
  if (oldest === undefined || opened.size <= OPEN_MAX) return;
  const [part, labels] = oldest;
  opened.delete(part);
  labels.close();
}

function openFiles(
  files: ContextFiles,
  work: string,
  options?: LabelsOptions,
): FileLabels | undefined {
  // As in a checkout, all are of the same age, by which libselinux chooses among them.
  const modifiedAt = new Date(0);
  try {
    writeContexts(
      work,
      [...files].map(([name, content]) => ({ name, content, modifiedAt })),
    );
    return openFileLabels(work, options);
  } finally {
    // libselinux has read it all.
    removeTreeSync(work);
  }
}

/** Labels as bytes, each once: there are a few hundred different ones. */
function inBytes(name: string, labels: FileLabels): LabelOf {
  const known = new Map<string, Buffer>();
  return (path, mode) => {
    const text = inPolicy(name, () => labels.lookUp(path, mode));
    if (text === undefined) return undefined;
    const label = known.get(text) ?? Buffer.from(`${text}\0`);
    known.set(text, label);
    return label;
  };
}

/** What libselinux refuses is the image's fault; a lack of memory and the like is not. */
function inPolicy<T>(name: string, work: () => T): T {
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
