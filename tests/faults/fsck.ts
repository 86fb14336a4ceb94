// What `ostree fsck` says of a repository, apart from objects that no ref needs: a later clean-up removes those.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

type Env = Readonly<Record<string, string | undefined>>;

export function fsck(repo: string, env: Env): readonly string[] {
  const first = spawnSync("ostree", ["fsck", "--quiet", `--repo=${repo}`], { env });
  return first.status === 0 ? [] : fsckPruned(repo, env);
}

/** The same for a copy, so that no lock matters, and nothing changes. */
export function fsckPruned(repo: string, env: Env): readonly string[] {
  const dir = mkdtempSync("/var/tmp/fsck-");
  const copy = join(dir, "repo");
  const run = (program: string, ...words: readonly string[]) =>
    spawnSync(program, words, { env, encoding: "utf8" });
  try {
    run("cp", "-a", repo, copy);
    const first = run("ostree", "fsck", "--quiet", `--repo=${copy}`);
    if (first.status === 0) return [];
    run("ostree", "prune", "--refs-only", `--repo=${copy}`);
    const second = run("ostree", "fsck", "--quiet", `--repo=${copy}`);
    return second.status === 0 ? [] : [`ostree fsck: ${second.stderr.trim().slice(-400)}`];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
