//! The rooms of the operator's code: what each may use stands in `docs/architecture.md`, and the code uses that and no more.
//!
//! A room is a module of the crate's root with its folder. Test code is left out, and so are `main.rs` and `lib.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::{
    Attribute, File, Item, UseTree,
    visit::{self, Visit},
};

use crate::world::tools::root;

type Uses = BTreeMap<String, BTreeSet<String>>;

/// The rooms in the order of the page, with what each may use.
fn listed() -> Vec<(String, BTreeSet<String>)> {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = page.split("| room | idea | may use |").nth(1).unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let names = |cell: &str| {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let room = names(cells[0]).pop_first().unwrap();
        (room, names(cells[2]))
    })
    .collect()
}

/// What a file takes from other rooms.
#[derive(Default)]
struct Imports(BTreeSet<String>);

impl Imports {
    fn add(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => drop(self.0.insert(path.ident.to_string())),
            UseTree::Name(name) => drop(self.0.insert(name.ident.to_string())),
            UseTree::Rename(name) => drop(self.0.insert(name.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add(tree)),
            UseTree::Glob(_) => panic!("all rooms at once"),
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let mut is_test = false;
        if attribute.path().is_ident("cfg") {
            // `cfg(all(test, …))` and the like would be code of the operator.
            let _ = attribute.parse_nested_meta(|meta| {
                is_test |= meta.path.is_ident("test");
                Ok(())
            });
        }
        is_test
    })
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if let UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            self.add(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        if names.next().as_deref() == Some("crate")
            && let Some(room) = names.next()
        {
            self.0.insert(room);
        }
        visit::visit_path(self, path);
    }
}

fn parsed(file: &Path) -> File {
    syn::parse_file(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The files of a room: modules for tests alone are not gone into.
fn files(room: &str) -> Vec<(PathBuf, File)> {
    let mut all = Vec::new();
    collect(root().join("src").join(room).with_extension("rs"), &mut all);
    all
}

fn collect(path: PathBuf, all: &mut Vec<(PathBuf, File)>) {
    let (folder, file) = (path.with_extension(""), parsed(&path));
    for item in &file.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
            && !is_for_tests(&module.attrs)
        {
            let name = module.ident.to_string();
            collect(folder.join(name).with_extension("rs"), all);
        }
    }
    all.push((path, file));
}

/// What each room uses.
fn used() -> Uses {
    let items = parsed(&root().join("src/lib.rs")).items.into_iter();
    let rooms = items.filter_map(|item| match item {
        Item::Mod(module) if !is_for_tests(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    });
    let rooms: BTreeSet<String> = rooms.collect();
    let of = |room: &String| {
        let mut imports = Imports::default();
        for (_, file) in files(room) {
            imports.visit_file(&file);
        }
        let mut used = imports.0;
        used.retain(|name| name != room && rooms.contains(name));
        (room.clone(), used)
    };
    rooms.iter().map(of).collect()
}

#[test]
fn each_room_uses_what_the_page_says() {
    let listed: Uses = listed().into_iter().collect();
    let used = used();
    assert!(used.len() > 20, "{used:?}");
    assert_eq!(
        listed.keys().collect::<Vec<_>>(),
        used.keys().collect::<Vec<_>>()
    );
    for (room, uses) in &used {
        assert_eq!(
            &listed[room], uses,
            "{room}: what the page says, and what the code uses"
        );
    }
}

#[test]
fn rooms_use_only_rooms_above_them_on_the_page_so_that_there_are_no_circles() {
    let mut above = BTreeSet::new();
    for (room, uses) in listed() {
        assert!(uses.is_subset(&above), "{room} uses {:?}", &uses - &above);
        above.insert(room);
    }
}

/// The proof that an intent is on record is made at one place: else a change could be sent without one.
#[test]
fn only_the_journal_proves_that_an_intent_is_on_record() {
    let files = listed().into_iter().flat_map(|(room, _)| files(&room));
    let makers: Vec<PathBuf> = files
        .map(|(path, _)| path)
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.contains("Acknowledged::by_the_api_server(")
        })
        .collect();
    assert_eq!(makers, [root().join("src/controller/journal.rs")]);
}
