// Labels looked up by libselinux in the policy of an image, each path once.
import { rmSync } from "node:fs";
import { BootcError } from "../../errors.ts";
import { openLibc } from "../../native/libc.ts";
import {
  type FileLabels,
  type LabelsOptions,
  openFileLabels,
  placeOf,
} from "../../native/selabel.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import type { LabelOf } from "../store/sink.ts";
import { usableContexts, writeContexts } from "./contexts.ts";
import { divideContexts, type PolicyPart } from "./parts.ts";
import type { ImagePolicy } from "./policy.ts";
import type { ContextFiles } from "./rules.ts";

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
  { name, files }: ImagePolicy,
): Promise<OpenPolicy | undefined> {
  // Whoever cannot set attributes has no use for labels.
  if (openLibc() === undefined) return undefined;
  const work = await makeWorkDirectory(repo);
  const labels = inPolicy(name, () => openPreferred(usableFiles(files), work));
  return labels && { labelOf: lookingUpOnce(name, labels), close: () => labels.close() };
}

/**
 * The policy by its compiled form alone if libselinux takes that. It prefers this form to a text of the same
 * age, and with one of them only, parts are smaller.
 */
function openPreferred(files: ContextFiles, work: string): FileLabels | undefined {
  if (files.has("file_contexts.bin")) {
    const compiled = new Map([...files].filter(([name]) => name !== "file_contexts"));
    try {
      return openInParts(compiled, work);
    } catch (error) {
      if (!files.has("file_contexts") || !(error instanceof BootcError)) throw error;
    }
  }
  return openInParts(files, work);
}

function usableFiles(files: ContextFiles): ContextFiles {
  const all = [...files].map(([name, content]) => ({ name, content }));
  return new Map(usableContexts(all).map(({ name, content }) => [name, content]));
}

/** The policy in `files`, of which small parts are opened. Undefined when libselinux cannot be called. */
function openInParts(files: ContextFiles, work: string): FileLabels | undefined {
  const parts = divideContexts(files);
  // What is wrong with the policy is found out here.
  const whole = openFiles(parts?.whole.files() ?? files, work);
  if (whole === undefined || parts === undefined) return whole;
  const opened = new Map<PolicyPart, FileLabels>();
  const open = (part: PolicyPart) => {
    const labels = opened.get(part) ?? openFiles(part.files(), work, { isPart: true });
    if (labels === undefined) throw new Error("unreachable: libselinux was there before");
    opened.set(part, labels);
    return labels;
  };
  return {
    lookUp: (path, mode) => open(parts.partFor(placeOf(path))).lookUp(path, mode),
    close() {
      for (const it of [whole, ...opened.values()]) it.close();
    },
  };
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
    rmSync(work, { recursive: true, force: true });
  }
}

function lookingUpOnce(name: string, labels: FileLabels): LabelOf {
  const known = new Map<string, Buffer | undefined>();
  const bytes = new Map<string | undefined, Buffer | undefined>([[undefined, undefined]]);
  return (path, mode) => {
    const key = `${mode >> 12}${path}`;
    if (known.has(key)) return known.get(key);
    const text = inPolicy(name, () => labels.lookUp(path, mode));
    const label = bytes.get(text) ?? (text === undefined ? undefined : Buffer.from(`${text}\0`));
    bytes.set(text, label);
    known.set(key, label);
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
