// `xtask check-buildsys`: makes everything twice, in different clones and surroundings, and compares.
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { BootcError, doing } from "../src/errors.ts";
import { cacheFolder } from "./archive/make-once.ts";
import { readCheckout } from "./checkout/checkout.ts";
import { readGit } from "./checkout/git.ts";
import { type Comparison, compareFolders } from "./checks/compare.ts";
import { defineTask, type Tree } from "./task.ts";

/** The tasks that make everything that leaves this machine. */
const TASKS: readonly (readonly string[])[] = [
  ["package-srpm"],
  ["build"],
  ["man"],
  ["completions"],
  ["licenses"],
  ["sbom"],
  ["sbom", "--format", "spdx"],
];

/** Surroundings that must not matter, different in the two runs. */
const SURROUNDINGS = [
  { folder: "one", umask: "022", env: { TZ: "UTC", LC_ALL: "C.UTF-8" } },
  { folder: "the-other", umask: "077", env: { TZ: "Asia/Tokyo", LC_ALL: "C", COLUMNS: "40" } },
] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--rpm", "also rebuild the source package twice, without network")
      .option("--quick", "take the compressed runtimes from the cache, which saves two minutes")
      .addHelpText(
        "after",
        [
          "",
          "Clones the commit twice below target/, with caches that hold only downloaded packages, and",
          "prints the digest of everything made. If anything differs, the clones are kept.",
          "",
          "Examples:",
          "  npm run xtask check-buildsys",
          "  npm run xtask -- check-buildsys --rpm",
        ].join("\n"),
      ),
  async run(tree, options) {
    const { commit } = await readCheckout(tree);
    const target = join(tree.top, "target");
    await mkdir(target, { recursive: true });
    const work = await mkdtemp(join(target, ".check-buildsys-"));
    const remove = () => rm(work, { recursive: true, force: true });
    const plan = {
      commit,
      work,
      tasks: [...TASKS, ...(options.rpm === true ? [["package-rpm"]] : [])],
      isQuick: options.quick === true,
    };
    const comparison = await makeTwice(tree, plan).catch(async (error: unknown) => {
      await remove();
      throw error;
    });
    for (const difference of comparison.differences) tree.ctx.note(difference);
    if (comparison.differences.length > 0) {
      throw new BootcError(`${comparison.differences.length} files are not reproducible`, {
        hint: `see the lines above; both clones are kept in \`${relative(tree.top, work)}\``,
      });
    }
    await remove();
    return comparison.same.map(({ path, sha256 }) => `${sha256}  ${path}`).join("\n");
  },
});

interface Plan {
  readonly commit: string;
  /** An empty folder. */
  readonly work: string;
  readonly tasks: readonly (readonly string[])[];
  /** Takes the compressed runtimes from the cache instead of compressing them twice. */
  readonly isQuick: boolean;
}

async function makeTwice(tree: Tree, plan: Plan): Promise<Comparison> {
  const folders: string[] = [];
  for (const surroundings of SURROUNDINGS) {
    const folder = join(plan.work, surroundings.folder);
    await cloneCommit(tree, plan.commit, folder);
    const cache = join(plan.work, `cache-of-${surroundings.folder}`);
    await fillCache(tree, cache, plan.isQuick);
    for (const words of plan.tasks) await makeIn(tree, { ...surroundings, folder, cache, words });
    folders.push(join(folder, "target"));
  }
  const [one = "", two = ""] = folders;
  return await compareFolders(one, two, isArtifact);
}

/** Caches and scratch folders do not leave this machine. */
function isArtifact(path: string): boolean {
  return !path.split("/").some((it) => it.startsWith(".") || it === "cache");
}

async function cloneCommit(tree: Tree, commit: string, folder: string): Promise<void> {
  await doing("cloning this checkout", async () => {
    await readGit(tree, ["clone", "--quiet", "--no-checkout", tree.top, folder]);
    await readGit({ ...tree, top: folder }, ["checkout", "--quiet", "--detach", commit]);
  });
}

/** Takes over downloads, which are verified at every use; everything else is made again. */
async function fillCache(tree: Tree, to: string, isQuick: boolean): Promise<void> {
  const from = cacheFolder(tree);
  await mkdir(join(to, "made"), { recursive: true });
  const packages = join(from, "packages");
  if (existsSync(packages)) await cp(packages, join(to, "packages"), { recursive: true });
  if (!isQuick || !existsSync(join(from, "made"))) return;
  const runtimes = (await readdir(join(from, "made"))).filter((it) => /^node-\d/.test(it));
  for (const name of runtimes) await cp(join(from, "made", name), join(to, "made", name));
}

interface Making {
  readonly folder: string;
  readonly cache: string;
  readonly words: readonly string[];
  readonly umask: string;
  readonly env: Readonly<Record<string, string>>;
}

async function makeIn({ ctx }: Tree, { folder, cache, words, umask, env }: Making): Promise<void> {
  const what = `xtask ${words.join(" ")}`;
  ctx.note(`${relative(dirname(cache), folder)}: ${what}`);
  await doing(`\`${what}\` in \`${folder}\``, () =>
    // A process cannot set its umask for a child alone.
    ctx.run(
      "sh",
      ["-c", 'umask "$0" && exec "$@"', umask, process.execPath, "xtask/run.cjs", ...words],
      { cwd: folder, env: { ...env, BOOTC_CACHE: cache, SOURCE_DATE_EPOCH: undefined } },
    ),
  );
}
