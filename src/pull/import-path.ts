// Where an entry of a derived layer lands in an ostree commit, if anywhere.

/** What the base image and the ostree version allow. */
export interface LayerFilter {
  /** Toplevel directories other than /usr, /etc, /var are kept (`root.transient`, composefs, or no base). */
  readonly allowsNonUsr: boolean;
  /** /var stays where it is (ostree 2024.3 and newer); otherwise it becomes usr/share/factory/var. */
  readonly retainsVar: boolean;
}
