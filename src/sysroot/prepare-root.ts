// What ostree/prepare-root.conf says about the root that ostree mounts at boot.
import { keyfileFlag, keyfileValue, parseKeyfile } from "../ostree/keyfile.ts";
import type { FileTree } from "../system/root/file-tree.ts";

/** `maybe`: if the kernel has it. `verity` and `signed` also demand files sealed by fs-verity. */
export type Composefs = "off" | "maybe" | "on" | "verity" | "signed";

export interface PrepareRoot {
  readonly composefs: Composefs;
  /** Changes to the root are kept until the next boot. */
  readonly isTransient: boolean;
}

/** ostree's own words: those of its tristate, which include `maybe`, and the two it looks for first. */
const COMPOSEFS: ReadonlyMap<string, Composefs> = new Map([
  ["yes", "on"],
  ["true", "on"],
  ["1", "on"],
  ["maybe", "maybe"],
  ["verity", "verity"],
  ["signed", "signed"],
]);

/** The value of `composefs.enabled`, or of the kernel argument that replaces it. */
export function parseComposefs(word: string | undefined): Composefs {
  return COMPOSEFS.get(word ?? "") ?? "off";
}

export function parsePrepareRoot(text: string): PrepareRoot {
  const keyfile = parseKeyfile(text);
  return {
    composefs: parseComposefs(keyfileValue(keyfile, "composefs", "enabled")),
    isTransient: keyfileFlag(keyfile, "root", "transient") === true,
  };
}

/** Undefined when the system has none. A file in /etc replaces the one in /usr/lib as a whole. */
export async function readPrepareRoot(tree: FileTree): Promise<PrepareRoot | undefined> {
  const text =
    (await tree.readTextIfAny("etc/ostree/prepare-root.conf")) ??
    (await tree.readTextIfAny("usr/lib/ostree/prepare-root.conf"));
  return text === undefined ? undefined : parsePrepareRoot(text);
}

/** Whether directories other than /usr, /etc and /var have a place at run time; as upstream decides. */
export function isRootWritable({ composefs, isTransient }: PrepareRoot): boolean {
  return isTransient || composefs !== "off";
}

/** Whether the root is a composefs image for certain. */
export function isComposefsCertain(composefs: Composefs): boolean {
  return composefs !== "off" && composefs !== "maybe";
}
