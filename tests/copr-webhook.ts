// Which packages a call of the webhook builds, as the real frontend decides (fedora-copr/copr 5d37cd8,
// 2026-08-07, `PackagesLogic.get_for_webhook_rebuild`).
import { posix } from "node:path";

/** What GitHub sends. Only the event `create` has a `ref_type`; for a push, a tag is a ref like any other. */
export interface Push {
  readonly ref?: string;
  readonly ref_type?: string;
  readonly after?: string;
  readonly commits?: readonly Commit[];
  readonly repository: { readonly clone_url: string };
}

interface Commit {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
}

export interface Rebuildable {
  readonly name: string;
  readonly source: Readonly<Record<string, unknown>>;
  /** The name in the webhook's address, which counts only for tags. */
  readonly addressed: string | undefined;
}

export function isMeant({ name, source, addressed }: Rebuildable, push: Push): boolean {
  const isRepository =
    trimGitUrl(push.repository.clone_url) === trimGitUrl(String(source.clone_url));
  if (!isRepository) return false;
  if (push.ref_type !== "tag") return hasCommitsOf(source, push);
  return name === addressed || isNamedAfter(push.ref ?? "", name);
}

const trimGitUrl = (url: string): string => url.replace(/(\.git)?\/*$/, "");

/** Source: `commits_belong_to_package`. */
function hasCommitsOf(source: Rebuildable["source"], { ref = "", commits = [] }: Push): boolean {
  if (!ref.endsWith(String(source.committish ?? ""))) return false;
  const folder = trimSlashes(posix.normalize(String(source.subdirectory ?? "")));
  return commits
    .flatMap((it) => [...it.added, ...it.removed, ...it.modified])
    .map((it) => trimSlashes(posix.normalize(it)))
    .some((it) => it !== "." && (folder === "." || it.startsWith(`${folder}/`)));
}

const trimSlashes = (path: string): string => path.replace(/^\/+|\/+$/g, "");

/** Source: `_ref_matches_copr_pkgname`. `bootc-2.0`, `bootc-2.0-1` and the same with underscores. */
function isNamedAfter(tag: string, pkgName: string): boolean {
  return ["-", "_"].some((separator) => {
    const parts = tag.split(separator);
    const hasVersion = () => parts.length > 1 && /\d/.test(parts.at(-1) ?? "");
    const isName = () => ["-", "_"].some((it) => parts.join(it) === pkgName);
    for (let dropped = 0; dropped < 2 && hasVersion(); dropped += 1) {
      parts.pop();
      if (isName()) return true;
    }
    return false;
  });
}
