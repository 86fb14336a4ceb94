// What an installation has to go by, once nothing it asked for was refused.
import type { OstreeReference } from "../image/reference.ts";
import type { InstallConfig } from "./plan/install-config.ts";
import type { InstallOptions } from "./request.ts";
import type { InstallSource } from "./source.ts";

export interface Prepared {
  readonly options: InstallOptions;
  readonly config: InstallConfig | undefined;
  readonly source: InstallSource;
  /** What the installed machine follows. */
  readonly target: OstreeReference;
  readonly stateroot: string;
  /** Text of the keys file; read now, so that a wrong path is noticed before anything is erased. */
  readonly sshKeys: string | undefined;
}
