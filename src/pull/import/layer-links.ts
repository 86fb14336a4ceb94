// The symbolic links of one layer, and where paths through them lead.
import type { TarEntry } from "../../tar/entry.ts";
import { parentOf } from "./shape.ts";

export interface LayerLinks {
  /** Notes what is at the normalized `path` of the tar from now on. */
  note(path: string, entry: Pick<TarEntry, "type" | "linkPath">): void;
  /**
   * The normalized `path` with the links in its directories followed, the layer being the root. As it is when
   * they lead in a circle.
   */
  resolve(path: string): string;
}

const LINKS_MAX = 40;

export function createLayerLinks(): LayerLinks {
  const targets = new Map<string, string>();

  function resolveDirectory(path: string): string | undefined {
    const left = path.split("/").reverse();
    let at = "";
    for (let links = 0, name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = parentOf(at);
        continue;
      }
      const next = at === "" ? name : `${at}/${name}`;
      const target = targets.get(next);
      if (target === undefined) {
        at = next;
        continue;
      }
      if (++links > LINKS_MAX) return undefined;
      if (target.startsWith("/")) at = "";
      left.push(...target.split("/").reverse());
    }
    return at;
  }

  return {
    note(path, { type, linkPath }) {
      if (type === "symlink") targets.set(path, linkPath);
      else if (targets.size > 0) targets.delete(path);
    },
    resolve(path) {
      const parent = parentOf(path);
      if (parent === "" || targets.size === 0) return path;
      const end = resolveDirectory(parent);
      if (end === undefined || end === parent) return path;
      const name = path.slice(parent.length + 1);
      return end === "" ? name : `${end}/${name}`;
    },
  };
}
