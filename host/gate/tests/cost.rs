//! What the tools do with strangers' files is paid for as it costs: intersect, explain, diff, and what reads the files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "these are measurements")]

#[path = "cost/mod.rs"]
mod measure;

use measure::{UNIT, check, doubling, least};
use portcullis_gate::{
    Ceiling, Descriptor, DiffError, Effect, Grant, GrantMismatch, GrantedRoute, Method, OAuth, Operation, Parameter,
    Powers, Repeat, Route, Scheme, Slot, Values, Work, diff, diff_within, explain, explain_within,
};

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn route(id: usize, url: String) -> Route {
    Route {
        id: format!("r{id}"),
        description: String::new(),
        method: Method::Get,
        url,
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        request: None,
        links: Vec::new(),
        repeat: Repeat::Never,
        response: "{}".to_owned(),
    }
}

/// A route for each number, and what changes each of them.
fn routes(count: usize, url: impl Fn(usize) -> String, change: impl Fn(&mut Route, usize)) -> Vec<Route> {
    let made = |n| {
        let mut made = route(n, url(n));
        change(&mut made, n);
        made
    };
    (0..count).map(made).collect()
}

fn plain(url: impl Fn(usize) -> String) -> impl Fn(usize) -> Vec<Route> {
    move |count| routes(count, &url, |_, _| ())
}

fn operation(name: String, routes: Vec<String>) -> Operation {
    Operation {
        name,
        description: String::new(),
        effect: Effect::Read,
        input: "{}".to_owned(),
        output: "{}".to_owned(),
        routes,
    }
}

/// One operation that uses all of them.
fn descriptor(routes: Vec<Route>) -> Descriptor {
    Descriptor {
        name: "made-up".to_owned(),
        version: "1".to_owned(),
        description: String::new(),
        slots: Vec::new(),
        operations: vec![operation("all".to_owned(), routes.iter().map(|route| route.id.clone()).collect())],
        routes,
    }
}

/// All of it.
fn whole(descriptor: &Descriptor) -> Grant {
    let mut grant = Grant::parse(&format!("adapter = \"{DIGEST}\"")).unwrap();
    grant.operations = descriptor.operations.iter().map(|operation| operation.name.clone()).collect();
    grant.routes = descriptor.routes.iter().map(Route::as_granted).chain(descriptor.token_routes()).collect();
    grant
}

fn one_of(name: &str, values: Vec<String>) -> Parameter {
    Parameter { name: name.to_owned(), values: Values::OneOf(values) }
}

type Files = (Descriptor, Grant, Ceiling);

/// Holds both that read all three against what they charge.
fn held(name: &str, sizes: &[usize], make: impl Fn(usize) -> Files) {
    check(&format!("{name}, powers"), sizes, &make, |(descriptor, grant, ceiling), work| {
        let _ = Powers::new_within(DIGEST, "acme/made-up", descriptor, grant, ceiling, work);
    });
    check(&format!("{name}, explained"), sizes, &make, |(descriptor, grant, ceiling), work| {
        explain_within("acme/made-up", descriptor, grant, ceiling, work).unwrap();
    });
}

/// The same for these routes, granted as they are.
fn granted(name: &str, sizes: &[usize], make: impl Fn(usize) -> Vec<Route>) {
    held(name, sizes, |size| {
        let descriptor = descriptor(make(size));
        let grant = whole(&descriptor);
        (descriptor, grant, Ceiling::default())
    });
}

#[test]
fn routes_of_many_kinds() {
    let sizes = doubling(64, 6);
    granted("literal paths", &sizes, plain(|n| format!("https://a.example/{n}/b")));
    granted("paths that go down", &sizes, plain(|n| format!("https://a.example{}", "/a".repeat(n % 60 + 1))));
    granted("origins", &sizes, plain(|n| format!("https://a{n}.example/b")));
    granted("shapes", &sizes, plain(|n| format!("https://a.example/{{p:digits({}..{})}}", n + 1, n + 1)));
    granted("shapes within each other", &sizes, plain(|n| format!("https://a.example/{{p:digits(1..{})}}", n + 1)));
    granted("open ends", &sizes, plain(|n| format!("https://a.example/{n}/{{rest..}}")));
    granted(
        "open ends within each other",
        &sizes,
        plain(|n| format!("https://a.example{}/{{rest..}}", "/a".repeat(n % 60))),
    );
    let both = |n: usize| {
        format!(
            "https://a.example/{}",
            (0..10).map(|bit| if n >> bit & 1 == 1 { "{p}" } else { "a" }).collect::<Vec<_>>().join("/")
        )
    };
    granted("literals and parameters in any order", &doubling(64, 5), plain(both));
}

#[test]
fn routes_of_one_path_that_differ_in_their_lists() {
    let url = |_| "https://a.example/b".to_owned();
    let sizes = doubling(16, 7);
    granted("names", &sizes, |count| routes(count, url, |route, n| route.query.push(Parameter::any(format!("q{n}")))));
    granted("many names", &doubling(8, 7), |count| {
        routes(count, url, |route, n| route.query = (0..60).map(|i| Parameter::any(format!("{i}{}", n % 10))).collect())
    });
    granted("headers", &sizes, |count| {
        routes(count, url, |route, n| {
            route.headers = (0..20).map(|i| Parameter::any(format!("X-{i}"))).collect();
            route.headers.push(Parameter::any(format!("X-Own-{n}")));
        })
    });
    held("long lists, each held against each route", &doubling(16, 6), |size| {
        let made = descriptor(routes(64, url, |route, _| route.query.push(Parameter::any("*"))));
        let mut grant = whole(&made);
        for route in &mut grant.routes {
            route.query = (0..size).map(|i| Parameter::any(format!("q{i}"))).collect();
            // Found to be none of the declared ones last of all.
            route.headers = vec![Parameter::any("X-None")];
        }
        (made, grant, Ceiling::default())
    });
    granted("values", &sizes, |count| {
        routes(count, url, |route, n| {
            route.query = vec![one_of("a", (0..50).map(|i| format!("{i}")).chain([format!("x{n}")]).collect())];
        })
    });
}

#[test]
fn lists_of_one_grant() {
    let declared = |query: Vec<Parameter>| {
        descriptor(routes(4, |_| "https://a.example/b".to_owned(), |route, _| route.query.clone_from(&query)))
    };
    let names = |count: usize| (0..count).map(|i| Parameter::any(format!("q{i}"))).collect::<Vec<_>>();
    let with = |descriptor: Descriptor, change: &dyn Fn(&mut GrantedRoute)| {
        let mut grant = whole(&descriptor);
        grant.routes.iter_mut().for_each(change);
        (descriptor, grant, Ceiling::default())
    };
    let sizes = doubling(128, 8);
    held("names that a star stands for", &sizes, |size| {
        with(declared(vec![Parameter::any("*")]), &|route| route.query = names(size))
    });
    held("stars beside names", &sizes, |size| {
        let narrow = one_of("*", vec!["x".to_owned()]);
        let mut query: Vec<Parameter> =
            (0..100).map(|i| one_of(&format!("q{i}"), vec!["x".to_owned(), "y".to_owned()])).collect();
        query.push(Parameter::any("*"));
        with(declared(query), &|route| route.query = vec![narrow.clone(); size])
    });
    held("values that a shape stands for", &sizes, |size| {
        let any = Parameter { name: "a".to_owned(), values: Values::Shape("text".parse().unwrap()) };
        let rules: Vec<Parameter> = (0..size / 16).map(|_| one_of("a", vec!["x".repeat(500); 100])).collect();
        with(declared(vec![any]), &|route| route.query.clone_from(&rules))
    });
    held("slots", &sizes, |size| {
        with(declared(Vec::new()), &|route| route.slots = (0..size).map(|i| format!("s{i}")).collect())
    });
    held("operations that are not there", &sizes, |size| {
        let (descriptor, mut grant, ceiling) = with(declared(Vec::new()), &|_| ());
        grant.operations.extend((0..size).map(|i| format!("o{i}")));
        (descriptor, grant, ceiling)
    });
}

#[test]
fn operations_and_what_they_share() {
    let sizes = doubling(16, 6);
    let shared = |routes: usize, operations: usize| {
        let mut descriptor = descriptor(plain(|n| format!("https://a.example/{n}"))(routes));
        let ids = descriptor.operations[0].routes.clone();
        descriptor.operations = (0..operations).map(|n| operation(format!("o{n}"), ids.clone())).collect();
        let grant = whole(&descriptor);
        (descriptor, grant, Ceiling::default())
    };
    held("operations of the same routes", &sizes, |size| shared(30, size));
    held("operations and routes", &doubling(16, 4), |size| shared(size, size));
    held("one route, granted often", &doubling(16, 8), |size| {
        let (descriptor, mut grant, ceiling) = shared(1, 64);
        let mut narrow = grant.routes.clone();
        narrow[0].url = "https://a.example/0".to_owned();
        grant.routes = vec![narrow[0].clone(); size];
        (descriptor, grant, ceiling)
    });
    held("one operation, granted often", &doubling(16, 10), |size| {
        let (descriptor, mut grant, ceiling) = shared(60, 1);
        grant.operations = vec!["o0".to_owned(); size];
        (descriptor, grant, ceiling)
    });
    held("slots of routes", &sizes, |size| {
        let (mut descriptor, _, ceiling) = shared(size, 8);
        let slot = |n| Slot { name: format!("s{n}"), description: String::new(), scheme: Scheme::Bearer, oauth: None };
        descriptor.slots = (0..size).map(slot).collect();
        descriptor.routes.iter_mut().enumerate().for_each(|(n, route)| route.slots = vec![format!("s{n}")]);
        let grant = whole(&descriptor);
        (descriptor, grant, ceiling)
    });
    held("keys that sign", &doubling(16, 7), |size| {
        let (mut descriptor, _, ceiling) = shared(2, size);
        let slot =
            |n| Slot { name: format!("s{n}"), description: String::new(), scheme: Scheme::SigningKey, oauth: None };
        descriptor.slots = (0..size).map(slot).collect();
        let mut grant = whole(&descriptor);
        grant.signing = descriptor.slots.iter().map(|slot| slot.name.clone()).collect();
        (descriptor, grant, ceiling)
    });
    held("tokens", &doubling(16, 7), |size| {
        let (mut descriptor, _, ceiling) = shared(2, 2);
        let oauth =
            |n| OAuth { token_url: Some(format!("https://login{n}.example/{}", "x/".repeat(20))), ..OAuth::default() };
        let slot = |n| Slot {
            name: format!("s{n}"),
            description: String::new(),
            scheme: Scheme::Bearer,
            oauth: Some(oauth(n)),
        };
        descriptor.slots = (0..size).map(slot).collect();
        let grant = whole(&descriptor);
        (descriptor, grant, ceiling)
    });
}

#[test]
fn ceilings_and_carve_outs() {
    let sizes = doubling(32, 6);
    let files = |size: usize, ceiling: &str| {
        let descriptor = descriptor(plain(|n| format!("https://a{n}.example/b"))(size));
        let grant = whole(&descriptor);
        (descriptor, grant, Ceiling::parse(ceiling).unwrap())
    };
    let patterns =
        |count: usize| (0..count).map(|n| format!("\"https://*.b{n}.example\"")).collect::<Vec<_>>().join(", ");
    held("origins that are forbidden", &sizes, |size| {
        files(size, &format!("forbidden_origins = [{}]", patterns(size)))
    });
    held("origins that are not there", &sizes, |size| files(size, &format!("origins = [{}]", patterns(size))));
    let addresses = |n: usize| format!("10.{}.{}.1:443", n / 256, n % 256);
    held("carve-outs of a ceiling", &sizes, |size| {
        let allowed: Vec<String> = (0..size)
            .map(|n| format!("{{ addresses = \"{}\", integrations = [\"acme/a\", \"acme/b\"] }}", addresses(n)))
            .collect();
        let (descriptor, mut grant, ceiling) = files(4, &format!("carve_outs = [{}]", allowed.join(", ")));
        grant.carve_outs = (0..size).map(|n| addresses(n).parse().unwrap()).collect();
        (descriptor, grant, ceiling)
    });
    held("routes to addresses that are carved out", &sizes, |size| {
        let descriptor = descriptor(plain(|n| format!("https://10.{}.{}.1/b", n / 256, n % 256))(size));
        let mut grant = whole(&descriptor);
        grant.carve_outs = (0..size * 4).rev().map(|n| addresses(n).parse().unwrap()).collect();
        (descriptor, grant, Ceiling::default())
    });
}

/// Holds diff of these two, and back, against what it charges.
fn compared(name: &str, sizes: &[usize], make: impl Fn(usize) -> (Descriptor, Descriptor)) {
    check(&format!("{name}, compared"), sizes, make, |(old, new), work| {
        diff_within(old, new, work).unwrap();
        diff_within(new, old, work).unwrap();
    });
}

#[test]
fn two_versions() {
    let sizes = doubling(32, 7);
    let url = |n: usize| format!("https://a.example/{n}");
    let two = |size: usize, change: &dyn Fn(&mut Route, usize)| {
        (descriptor(routes(size, url, |_, _| ())), descriptor(routes(size, url, change)))
    };
    compared("the same", &sizes, |size| two(size, &|_, _| ()));
    compared("other ids", &sizes, |size| two(size, &|route, n| route.id = format!("other{n}")));
    compared("other paths", &sizes, |size| two(size, &|route, _| route.url += "/x"));
    compared("other queries", &sizes, |size| {
        two(size, &|route, _| route.query = (0..60).map(|i| Parameter::any(format!("q{i}"))).collect())
    });
    let lists = |size: usize, extra: &str| {
        let values: Vec<String> = (0..200).map(|i| i.to_string()).chain([extra.to_owned()]).collect();
        descriptor(routes(size, url, |route, _| route.query = vec![one_of("a", values.clone())]))
    };
    compared("lists of values", &doubling(8, 6), |size| (lists(size, "x"), lists(size, "y")));
    compared("exchanges that begin alike", &doubling(8, 7), |size| {
        let alike = |method| {
            let own = |route: &mut Route, n: usize| {
                route.method = method;
                route.query =
                    (0..40).map(|i| Parameter::any(format!("q{i}"))).chain([Parameter::any(format!("x{n}"))]).collect();
            };
            descriptor(routes(size, |_| "https://a.example/b".to_owned(), own))
        };
        (alike(Method::Get), alike(Method::Head))
    });
    compared("operations of one long route", &doubling(16, 7), |size| {
        let used = |count: usize| {
            let long = |route: &mut Route, _| {
                route.query = (0..100).map(|i| one_of(&format!("q{i}"), vec!["x".repeat(900)])).collect()
            };
            let mut made = descriptor(routes(2, url, long));
            made.operations =
                (0..size).map(|n| operation(format!("o{n}"), (0..count).map(|r| format!("r{r}")).collect())).collect();
            made
        };
        (used(1), used(2))
    });
    compared("uses that changed hands", &doubling(16, 4), |size| {
        let used = |from: usize| {
            let mut made =
                descriptor(routes(size, |n| format!("https://a.example/{n}/{}", "x".repeat(500)), |_, _| ()));
            let ids = |n: usize| (0..size).filter(|r| (n + r) % 2 == from).map(|r| format!("r{r}")).collect();
            made.operations = (0..size).map(|n| operation(format!("o{n}"), ids(n))).collect();
            made.operations.push(operation("all".to_owned(), (0..size).map(|r| format!("r{r}")).collect()));
            made
        };
        (used(0), used(1))
    });
}

#[test]
fn what_reads_the_files_costs_what_is_in_them() {
    let sizes = doubling(32, 7);
    let read = |name: &str, sizes: &[usize], make: &dyn Fn(usize) -> Vec<Route>| {
        let descriptors = |size| {
            let made = descriptor(make(size));
            let bytes = serde_json::to_string(&made).unwrap().len() as u64;
            (made, bytes)
        };
        check(&format!("{name}, checked"), sizes, descriptors, |(descriptor, bytes), work| {
            work.charge(*bytes).unwrap();
            descriptor.check().unwrap();
            let _ = descriptor.routes_of("all", None);
        });
        let grants = |size| {
            (whole(&descriptor(make(size))).to_toml(), serde_json::to_string(&whole(&descriptor(make(size)))).unwrap())
        };
        check(&format!("{name}, granted"), sizes, grants, |(toml, json), work| {
            work.charge((toml.len() + json.len()) as u64).unwrap();
            for text in [toml, json] {
                let grant = Grant::parse(text).unwrap();
                let _ = Grant::needed_carve_outs(&grant.routes);
            }
        });
    };
    read("routes", &sizes, &plain(|n| format!("https://a.example/{n}")));
    read("addresses", &sizes, &plain(|n| format!("https://10.{}.{}.1/x", n / 256, n % 256)));
    read("names", &doubling(8, 8), &|count| {
        routes(
            count,
            |n| format!("https://a.example/{n}"),
            |route, _| {
                route.query = (0..100).map(|i| Parameter::any(format!("{i}"))).collect();
                route.headers = (0..20).map(|i| Parameter::any(format!("x{i}"))).collect();
            },
        )
    });
    read("values that are empty", &doubling(8, 4), &|count| {
        routes(
            count,
            |n| format!("https://a.example/{n}"),
            |route, _| {
                route.query = (0..10).map(|i| one_of(&format!("{i}"), vec![String::new(); 200])).collect();
            },
        )
    });
    let ceilings = |size: usize| {
        let origins: Vec<String> = (0..size).map(|n| format!("\"https://*.b{n}.example\"")).collect();
        let allowed: Vec<String> = (0..size)
            .map(|n| format!("{{ addresses = \"10.{}.{}.1:443\", integrations = [\"acme/a{n}\"] }}", n / 256, n % 256))
            .collect();
        format!("origins = [{}]\ncarve_outs = [{}]", origins.join(", "), allowed.join(", "))
    };
    check("ceilings", &doubling(64, 7), ceilings, |text, work| {
        work.charge(text.len() as u64).unwrap();
        Ceiling::parse(text).unwrap();
    });
}

/// As many routes of one path as there may be, of which none covers another: each granted one is held against each.
fn products(query: &str) -> Descriptor {
    descriptor(routes(
        2_000,
        |_| "https://a.example/b".to_owned(),
        |route, n| {
            route.query =
                (0..40).map(|i| Parameter::any(format!("{i}"))).chain([Parameter::any(format!("{query}{n}"))]).collect()
        },
    ))
}

#[test]
fn what_is_too_much_is_refused_by_the_name_of_the_bound_and_costs_no_more_than_the_budget() {
    let (ceiling, made) = (Ceiling::default(), products("x"));
    let mut grant = whole(&made);
    for route in &mut grant.routes {
        // Found to be none of the declared ones last of all.
        route.headers = vec![Parameter::any("X-None")];
    }
    let bound = "the bound `work` was hit: at most 1000000 units of the host's work on this data";
    let limited = |what: &dyn Fn(&Work) -> String| {
        let work = Work::new(1_000_000);
        let refused = what(&work);
        assert!(refused.contains(bound), "{refused}");
        assert!(work.is_spent() && work.used() == 1_000_000);
        // Beside the work there is the check of a megabyte.
        let most = 4_000_000.0 * UNIT;
        assert!(least(|cost| cost < most, || drop(what(&Work::new(1_000_000)))) < most);
        // What to do.
        assert!(refused.contains("grant fewer routes") || refused.contains("`portcullis inspect`"), "{refused}");
    };
    limited(&|work| {
        let refused = Powers::new_within(DIGEST, "acme/a", &made, &grant, &ceiling, work).unwrap_err();
        assert!(matches!(refused, GrantMismatch::Work(_)));
        refused.to_string()
    });
    limited(&|work| explain_within("acme/a", &made, &grant, &ceiling, work).unwrap_err().to_string());
    limited(&|work| {
        let refused = diff_within(&made, &products("y"), work).unwrap_err();
        assert!(matches!(refused, DiffError::Work(_)));
        refused.to_string()
    });
    // Whoever names no budget has one.
    assert!(matches!(Powers::new(DIGEST, "acme/a", &made, &grant, &ceiling), Err(GrantMismatch::Work(_))));
    assert!(matches!(explain("acme/a", &made, &grant, &ceiling), Err(GrantMismatch::Work(_))));
}

#[test]
fn the_largest_adapter_that_there_may_be_is_granted_explained_and_compared_within_the_budget() {
    let long = |extra: &'static str| {
        move |route: &mut Route, n: usize| {
            route.query = (0..60).map(|i| Parameter::any(format!("{extra}{i}"))).collect();
            route.id = format!("r{n}");
        }
    };
    let url = |n: usize| format!("https://a.example/v1/things/{{id}}/{n}");
    let (old, new) = (descriptor(routes(2_048, url, long("q"))), descriptor(routes(2_048, url, long("p"))));
    let grant = whole(&old);
    let powers = Powers::new(DIGEST, "acme/a", &old, &grant, &Ceiling::default()).unwrap();
    assert_eq!(powers.operation("all").unwrap().routes().len(), 2_048);
    let told = explain("acme/a", &old, &grant, &Ceiling::default()).unwrap();
    assert!(told.routes.iter().all(|route| route.effective) && told.routes.len() == 2_048);
    assert_eq!(diff(&old, &new).unwrap().changes.len(), 2_048);
}
