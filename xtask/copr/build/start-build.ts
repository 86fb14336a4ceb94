// Starts a build of the package as the server knows it, of a commit, or of a source RPM.
import { basename } from "node:path";
import { BootcError, kindOf, messageOf } from "../../../src/errors.ts";
import type { Terminal } from "../../../src/system/context.ts";
import { byteProgress } from "../../remote/byte-progress.ts";
import { RequestError } from "../../remote/http.ts";
import { pollUntil } from "../../remote/retry.ts";
import {
  checkBeforeBuild,
  createBuild,
  type GitSource,
  getGitSource,
  listBuilds,
  listProjectChroots,
} from "../api.ts";
import type { Connection } from "../connection.ts";
import type { PackageSettings, ProjectFile } from "../project/project-file.ts";
import { type Build, isFinal, isSuccess } from "./build-state.ts";
import { uploadBuild } from "./upload.ts";

export type BuildSource =
  /** The head of the branch in `copr/project.json`. */
  | { readonly kind: "package" }
  | { readonly kind: "commit"; readonly committish: string }
  | { readonly kind: "srpm"; readonly path: string };

/** After a push, the webhook may need this long to start its build. */
const WEBHOOK_WAIT = { intervalMs: 20_000, timeLimitMs: 40_000 };
const NEWEST_BUILDS = 10;

/**
 * A build of our package at `committish` that somebody else started, usually the webhook. It has not failed,
 * and it covers at least `chroots`; none means all of the project.
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
      if (!isCandidate(build, file.package.name, wanted)) continue;
      const source = await getGitSource(copr, build.id);
      if (source?.committish === committish && isOurs(build, source, file.package)) return build;
    }
    return undefined;
  });
}

function isCandidate(build: Build, packageName: string, chroots: readonly string[]): boolean {
  if (isFinal(build.state) && !isSuccess(build.state)) return false;
  if (build.packageName !== undefined && build.packageName !== packageName) return false;
  // A build of a commit for which nobody chose chroots has none until its source RPM is imported. Then the
  // server gives it all of the project.
  if (build.chroots.length === 0) return !isFinal(build.state);
  return chroots.every((name) => build.chroots.includes(name));
}

/**
 * Whether a build is of our package. The server names the package of a build of a commit only when the source
 * RPM is there; before that, only the place of the sources tells it from another package at the same commit.
 */
function isOurs({ packageName }: Build, source: GitSource, ours: PackageSettings): boolean {
  if (packageName !== undefined) return packageName === ours.name;
  return (
    source.cloneUrl === ours.cloneUrl &&
    (source.subdirectory ?? "") === (ours.subdirectory ?? "") &&
    (source.spec ?? "") === (ours.spec ?? "")
  );
}

export interface StartBuild {
  readonly source: BuildSource;
  /** Empty means all of the project's chroots. */
  readonly chroots: readonly string[];
  /** Gives way to builds that people wait for. */
  readonly isBackground: boolean;
  readonly terminal: Terminal;
}

export async function startBuild(
  copr: Connection,
  file: ProjectFile,
  request: StartBuild,
): Promise<Build> {
  const settings = {
    ownername: file.owner,
    projectname: file.project,
    ...(request.chroots.length === 0 ? {} : { chroots: request.chroots }),
    timeout: file.package.timeoutSeconds,
    background: request.isBackground,
    enable_net: file.enableNet ?? false,
  };
  switch (request.source.kind) {
    case "package":
      return await startOnce(copr, "/package/build", {
        ...settings,
        package_name: file.package.name,
      });
    case "commit":
      return await startOnce(copr, "/build/create/scm", {
        ...settings,
        clone_url: file.package.cloneUrl,
        committish: request.source.committish,
        subdirectory: file.package.subdirectory ?? "",
        spec: file.package.spec ?? "",
        scm_type: "git",
        source_build_method: "make_srpm",
      });
    case "srpm": {
      // Finds out before fifty megabytes are sent.
      await checkBeforeBuild(copr, file, request.chroots);
      const { owner, project } = file;
      const { path } = request.source;
      const progress = byteProgress(request.terminal, copr.note, `uploading ${basename(path)}`);
      const upload = { owner, project, path, settings, onProgress: progress.show };
      return await uploadBuild(copr, upload);
    }
  }
}

/** Starts a build, but never a second one: if the answer is lost, a person has to look. */
async function startOnce(copr: Connection, path: string, json: object): Promise<Build> {
  try {
    return await createBuild(copr, path, { ...json });
  } catch (error) {
    const isAnswered = !copr.signal.aborted && kindOf(error) !== "network";
    if (isAnswered || (error instanceof RequestError && error.wasNotCarriedOut)) throw error;
    throw new BootcError(`${messageOf(error)}: the build may have been started or not`, {
      kind: kindOf(error),
      hint: "before you start it again, look with: npm run xtask -- copr status",
    });
  }
}
