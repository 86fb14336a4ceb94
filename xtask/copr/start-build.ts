// Starting a build: of the package as the server knows it, of another commit, or of a source RPM.
import { basename } from "node:path";
import type { Terminal } from "../../src/system/context.ts";
import { byteProgress } from "../remote/byte-progress.ts";
import { checkBeforeBuild, createBuild } from "./api.ts";
import type { Build } from "./build-state.ts";
import type { Connection } from "./connection.ts";
import type { ProjectFile } from "./project-file.ts";
import { uploadBuild } from "./upload.ts";

export type BuildSource =
  /** What `copr/project.json` names: the head of its branch. */
  | { readonly kind: "package" }
  | { readonly kind: "commit"; readonly committish: string }
  | { readonly kind: "srpm"; readonly path: string };

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
      return await createBuild(copr, "/package/build", {
        ...settings,
        package_name: file.package.name,
      });
    case "commit":
      return await createBuild(copr, "/build/create/scm", {
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
      const build = await uploadBuild(copr, upload);
      return build;
    }
  }
}
