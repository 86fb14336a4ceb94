// Where an entry of a derived layer lands in an ostree commit, if anywhere.
import { normalizePath } from "../../tar/path.ts";

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

/** Where the normalized `path` goes. */
export function placePath(path: string, filter: LayerFilter): Placement {
  const placement = placementOf(path, filter);
  // Its new directory may make the path longer than a file system can hold.
  if (placement.kind === "kept" && placement.path !== path) normalizePath(placement.path);
  return placement;
}

function placementOf(path: string, filter: LayerFilter): Placement {
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
