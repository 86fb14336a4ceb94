// The result of the checks before an installation.
import type { OstreeReference } from "../image/reference.ts";
import type { InstallConfig } from "./plan/install-config.ts";
import type { InstallOptions } from "./request.ts";
import type { InstallSource } from "./source.ts";

export interface Prepared {
  readonly options: InstallOptions;
  readonly config: InstallConfig | undefined;
  readonly source: InstallSource;
  /** The image that the installed machine follows. */
  readonly target: OstreeReference;
  readonly stateroot: string;
  /** The text of the keys file, read early so that a wrong path is noticed before anything is erased. */
  readonly sshKeys: string | undefined;
}
