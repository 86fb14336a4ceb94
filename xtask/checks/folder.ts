// A row in the table of the architecture.

/** One folder; its subfolders have rows of their own. */
export interface Folder {
  /** The question that the folder answers. docs/architecture.md prints it. */
  readonly question: string;
  /** Folders and single files besides the folder itself and `ALWAYS`; subfolders are named separately. */
  readonly mayImport: readonly string[];
  /** Its files never import one another, so that no command knows another. */
  readonly isApart?: true;
  /** Why it holds fewer or more files than other folders. */
  readonly sizeReason?: string;
}

/** How we touch the machine: whoever may import one of these may import both. */
export const SYSTEM: readonly string[] = ["src/system", "src/system/root"];

/** Folders that touch neither files nor processes. */
export const PURE: readonly string[] = [
  "src/format",
  "src/host",
  "src/host/boot",
  "src/image",
  "src/ostree",
];
