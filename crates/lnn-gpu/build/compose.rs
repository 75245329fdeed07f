//! From shader files with imports, constants and flags to one WGSL text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wesl::syntax::{ModulePath, PathOrigin};
use wesl::{Feature, ManglerKind, ResolveError, Resolver, Wesl};

use crate::variants::Variant;

/// A composed shader.
pub(crate) struct Composed {
    pub(crate) wgsl: String,
    /// The files that went in.
    pub(crate) files: Vec<PathBuf>,
}

/// Finds modules as files below the root, and the variant's constants as the package `constants`.
struct Files<'a> {
    root: &'a Path,
    constants: String,
}

impl Files<'_> {
    fn path(&self, module: &ModulePath) -> Option<PathBuf> {
        if matches!(module.origin, PathOrigin::Package(_)) {
            return None;
        }
        let mut path = self.root.to_path_buf();
        path.extend(&module.components);
        path.set_extension("wgsl");
        Some(path)
    }
}

impl Resolver for Files<'_> {
    fn resolve_source<'a>(&'a self, module: &ModulePath) -> Result<Cow<'a, str>, ResolveError> {
        match &module.origin {
            PathOrigin::Package(name) if name == "constants" || name.ends_with("/constants") => {
                Ok(Cow::Borrowed(&self.constants))
            }
            _ => {
                let path = self.path(module).ok_or_else(|| {
                    ResolveError::ModuleNotFound(module.clone(), "the only package is `constants`".into())
                })?;
                fs::read_to_string(&path)
                    .map(Cow::Owned)
                    .map_err(|error| ResolveError::FileNotFound(path, error.to_string()))
            }
        }
    }

    fn display_name(&self, module: &ModulePath) -> Option<String> {
        self.path(module).map(|path| path.display().to_string())
    }

    fn fs_path(&self, module: &ModulePath) -> Option<PathBuf> {
        self.path(module)
    }
}

/// Follows the imports of a variant's shader, with its constants and flags; an unknown flag is off, an unknown
/// constant an error.
pub(crate) fn compose(root: &Path, variant: &Variant) -> Result<Composed, String> {
    let mut constants = String::new();
    for (name, value) in &variant.constants {
        let _ = writeln!(constants, "const {name} = {value}u;");
    }
    let module: ModulePath = format!("package::{}", variant.kernel.replace('/', "::"))
        .parse()
        .map_err(|error| format!("shaders/{}.wgsl: no module path: {error}", variant.kernel))?;
    let mut compiler = Wesl::new(root).set_custom_resolver(Files { root, constants });
    // Names stay as they are written, which keeps messages readable; naga refuses two of one name.
    compiler.set_mangler(ManglerKind::None);
    compiler.set_features(variant.flags.iter().map(|flag| (flag, Feature::Enable)));
    let result =
        compiler.compile(&module).map_err(|error| format!("shader {} does not compose:\n{error}", variant.name()))?;
    let files = result.modules.iter().filter_map(|module| compiler.resolver().path(module)).collect();
    Ok(Composed { wgsl: result.to_string(), files })
}
