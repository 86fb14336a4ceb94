// A row of the architecture's table.

/** One folder; what is below it has rows of its own. */
export interface Folder {
  /** What a newcomer finds here. docs/architecture.md prints it. */
  readonly question: string;
  /** Folders and single files besides the folder itself and `ALWAYS`; subfolders by their own names. */
  readonly mayImport: readonly string[];
  /** Its files never import one another: no command knows another. */
  readonly isApart?: true;
  /** Why it holds fewer or more files than the others do. */
  readonly sizeReason?: string;
}
