// Starting a build: of the package as the server knows it, of another commit, or of a source RPM.
import { basename } from "node:path";
import { BootcError, kindOf, messageOf } from "../../../src/errors.ts";
import type { Terminal } from "../../../src/system/context.ts";
import { byteProgress } from "../../remote/byte-progress.ts";
import { RequestError } from "../../remote/http.ts";
import { pollUntil } from "../../remote/retry.ts";
import {
  checkBeforeBuild,
  createBuild,
  getCommittish,
  listBuilds,
  listProjectChroots,
} from "../api.ts";
import type { Connection } from "../connection.ts";
import type { ProjectFile } from "../project/project-file.ts";
import { type Build, isFinal, isSuccess } from "./build-state.ts";
import { uploadBuild } from "./upload.ts";

export type BuildSource =
  /** What `copr/project.json` names: the head of its branch. */
  | { readonly kind: "package" }
  | { readonly kind: "commit"; readonly committish: string }
  | { readonly kind: "srpm"; readonly path: string };

/** The webhook and the push that causes it race; this is how long we leave it to win. */
const WEBHOOK_WAIT = { intervalMs: 20_000, timeLimitMs: 40_000 };
const NEWEST_BUILDS = 10;

/**
 * A build of `committish` that somebody else started, usually the webhook, that has not failed, and that
 * builds at least `chroots`, which are all of the project when empty.
 */
export async function findBuildOf(
  copr: Connection,
  file: ProjectFile,
  committish: string,
  chroots: readonly string[] = [],
): Promise<Build | undefined> {
  const wanted = chroots.length > 0 ? chroots : await listProjectChroots(copr, file);
  return await pollUntil(copr, WEBHOOK_WAIT, async () => {
    const newest = { owner: file.owner, project: file.project, limit: NEWEST_BUILDS };
    for (const build of await listBuilds(copr, newest)) {
      const isUsable = isUsableFor(build, { packageName: file.package.name, chroots: wanted });
      if (isUsable && (await getCommittish(copr, build.id)) === committish) return build;
    }
    return undefined;
  });
}

function isUsableFor(
  build: Build,
  it: { readonly packageName: string; readonly chroots: readonly string[] },
): boolean {
  if (isFinal(build.state) && !isSuccess(build.state)) return false;
  // Unknown until the source RPM has told it, unless the build was one of a package.
  if (build.packageName !== undefined && build.packageName !== it.packageName) return false;
  // None yet means that nobody chose any: it will be all of the project.
  return build.chroots.length === 0 || it.chroots.every((name) => build.chroots.includes(name));
}

export interface StartBuild {
  readonly source: BuildSource;
  /** All of the project when empty. */
  readonly chroots: readonly string[];
  /** Behind the builds that people wait for. */
  readonly isBackground: boolean;
  readonly terminal: Terminal;
}

export async function startBuild(
  copr: Connection,
  file: ProjectFile,
  it: StartBuild,
): Promise<Build> {
  const settings = {
    ownername: file.owner,
    projectname: file.project,
    ...(it.chroots.length === 0 ? {} : { chroots: it.chroots }),
    timeout: file.package.timeoutSeconds,
    background: it.isBackground,
    enable_net: file.enableNet ?? false,
  };
  switch (it.source.kind) {
    case "package":
      return await startOnce(copr, "/package/build", {
        ...settings,
        package_name: file.package.name,
      });
    case "commit":
      return await startOnce(copr, "/build/create/scm", {
        ...settings,
        clone_url: file.package.cloneUrl,
        committish: it.source.committish,
        subdirectory: file.package.subdirectory ?? "",
        spec: file.package.spec ?? "",
        scm_type: "git",
        source_build_method: "make_srpm",
      });
    case "srpm": {
      // Refused here rather than after fifty megabytes.
      await checkBeforeBuild(copr, file, it.chroots);
      const { owner, project } = file;
      const { path } = it.source;
      const progress = byteProgress(it.terminal, copr.note, `uploading ${basename(path)}`);
      const upload = { owner, project, path, settings, onProgress: progress.show };
      return await uploadBuild(copr, upload);
    }
  }
}

/** Starts a build, and never a second one: when the answer is lost, somebody has to look. */
async function startOnce(copr: Connection, path: string, json: object): Promise<Build> {
  try {
    return await createBuild(copr, path, { ...json });
  } catch (error) {
    const isAnswered = !copr.signal.aborted && kindOf(error) !== "network";
    if (isAnswered || (error instanceof RequestError && error.wasNotCarriedOut)) throw error;
    throw new BootcError(`${messageOf(error)}: whether the build was started is not known`, {
      kind: kindOf(error),
      hint: "look before you start it again: npm run xtask -- copr status",
    });
  }
}
