//! The resolver that speaks DNS, asked directly.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use portcullis_runtime::{DnsResolver, Resolver};
use portcullis_tests::dns::{DnsServer, Reply};

async fn resolver() -> (DnsServer, DnsResolver) {
    let server = DnsServer::start().await.unwrap();
    let resolver = DnsResolver::with_servers(&[server.address]).unwrap();
    (server, resolver)
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn addresses_of_both_families_come_in_one_answer() {
    let (server, resolver) = resolver().await;
    server.add("a.example", &ips(&["192.0.2.1", "2001:db8::1", "192.0.2.2"]));
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]));
    assert_eq!((server.asked(), server.queries()), (1, 2), "one question for each family");
}

#[tokio::test]
async fn an_answer_is_kept_for_as_long_as_it_says_and_no_longer() {
    let (server, resolver) = resolver().await;
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        server.add("a.example", &ips(&[address]));
    }
    // Zero seconds are not kept at all.
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.1"]));
    server.ttl(1);
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.2"]));
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.2"]));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.3"]));
}

#[tokio::test]
async fn an_alias_is_followed_and_a_loop_of_them_ends() {
    let (server, resolver) = resolver().await;
    server.reply("a.example", Reply::Alias("b.example".to_owned()));
    server.reply("b.example", Reply::Alias("c.example".to_owned()));
    server.add("c.example", &ips(&["192.0.2.1"]));
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.1"]));
    server.reply("round.example", Reply::Alias("and-round.example".to_owned()));
    server.reply("and-round.example", Reply::Alias("round.example".to_owned()));
    let before = server.queries();
    assert!(resolver.resolve("round.example").await.is_err());
    assert!(server.queries() - before < 64, "{} questions", server.queries() - before);
}

#[tokio::test]
async fn thirty_two_addresses_are_looked_at_and_more_are_refused() {
    let (server, resolver) = resolver().await;
    let all: Vec<IpAddr> = (1..=33).map(|last| IpAddr::from([192, 0, 2, last])).collect();
    server.add("few.example", &all[..32]);
    server.add("many.example", &all);
    assert_eq!(resolver.resolve("few.example").await.unwrap().len(), 32);
    assert!(server.by_tcp() > 0, "what does not fit into a datagram is asked for by TCP");
    let error = resolver.resolve("many.example").await.unwrap_err().to_string();
    assert!(error.contains("more than 32"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_not_there_is_an_error_and_no_other_name_is_tried() {
    let (server, resolver) = resolver().await;
    for name in ["nowhere.example", "short"] {
        let before = server.queries();
        assert!(resolver.resolve(name).await.is_err());
        assert_eq!(server.queries() - before, 2, "{name}: one question for each family");
    }
    let expected = ["nowhere.example", "nowhere.example", "short", "short"];
    assert_eq!(server.strangers(), expected, "no search domains");
}

#[tokio::test]
async fn a_look_up_that_nobody_waits_for_ends_with_its_future() {
    let (server, resolver) = resolver().await;
    server.reply("silent.example", Reply::Silence);
    server.add("a.example", &ips(&["192.0.2.1"]));
    let started = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..600 {
        let resolver = resolver.clone();
        let look_up = async move { resolver.resolve("silent.example").await.is_ok() };
        waiting.push(tokio::spawn(tokio::time::timeout(Duration::from_millis(100), look_up)));
    }
    for one in waiting {
        assert!(one.await.unwrap().is_err(), "it timed out");
    }
    // More than a pool of threads would have had; the next one is answered at once.
    assert_eq!(&*resolver.resolve("a.example").await.unwrap(), ips(&["192.0.2.1"]));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
