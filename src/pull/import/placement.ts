// Where an entry of a derived layer lands in an ostree commit, if anywhere.
import { damagedTar } from "../../tar/header.ts";

/** What the base image and the ostree version allow. */
export interface LayerFilter {
  /** Toplevel directories other than /usr, /etc, /var are kept (`root.transient`, composefs, or no base). */
  readonly allowsNonUsr: boolean;
  /** /var stays where it is (ostree 2024.3 and newer); otherwise it becomes usr/share/factory/var. */
  readonly retainsVar: boolean;
}

export type Placement =
  | { readonly kind: "kept"; readonly path: string }
  /** `counted` is the name under which upstream reports what was left out. */
  | { readonly kind: "dropped"; readonly counted: string };

/** Directories that are mounted over at run time: kept themselves, without their content. */
const API_DIRECTORIES = new Set(["run", "tmp", "proc", "sys", "dev"]);

const COMPONENT_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4095;

/**
 * A path of a tar as its components joined by `/`, the root as an empty text. `..` is refused, and so is
 * what no file system could hold.
 */
export function normalizePath(path: string): string {
  if (path.includes("\0")) throw damagedTar("a path with a zero byte");
  const parts = path.split("/").filter((it) => it !== "" && it !== ".");
  if (parts.includes("..")) throw damagedTar(`the path \`${path}\`, which leaves its directory`);
  const normal = parts.join("/");
  // A character has at most three bytes per unit, so most paths need no counting.
  if (normal.length * 3 > COMPONENT_BYTES_MAX) requireLengths(normal, parts);
  return normal;
}

function requireLengths(path: string, parts: readonly string[]): void {
  const isTooLong =
    Buffer.byteLength(path) > PATH_BYTES_MAX ||
    parts.some((it) => Buffer.byteLength(it) > COMPONENT_BYTES_MAX);
  if (isTooLong) throw damagedTar(`a path too long for a file system: \`${path.slice(0, 80)}…\``);
}

/** Where the normalized `path` goes. */
export function placePath(path: string, filter: LayerFilter): Placement {
  const slash = path.indexOf("/");
  const first = slash < 0 ? path : path.slice(0, slash);
  if (first === "usr" || first === "") return { kind: "kept", path };
  if (first === "etc") return { kind: "kept", path: `usr/${path}` };
  if (first === "var") {
    return { kind: "kept", path: filter.retainsVar ? path : `usr/share/factory/${path}` };
  }
  if (API_DIRECTORIES.has(first)) {
    if (slash < 0) return { kind: "kept", path };
    // Upstream counts these by their second component, and its users know the report so.
    return { kind: "dropped", counted: path.split("/", 2)[1] ?? first };
  }
  return filter.allowsNonUsr ? { kind: "kept", path } : { kind: "dropped", counted: first };
}

/** Where the target of a hard link went, the normalized `target` being as the tar names it. */
export function placeLinkTarget(target: string, filter: LayerFilter): string {
  const placement = placePath(target, filter);
  return placement.kind === "kept" ? placement.path : target;
}
