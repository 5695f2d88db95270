"""Invented lines of therapy talk in which everything that would identify somebody is marked, by kind:
<n:names>, <p:places>, <o:organisations>, <c:contact numbers and addresses>, <d:dates>.

Written before the rules that they measure. Half of them are as a recogniser writes with capitals and stops, half
without; the people, places and numbers are made up.
"""

WRITTEN = """
My name is <n:Sarah> and I'm calling about the appointment.
So <n:Daniel> said he'd pick the kids up, and then he didn't.
I told <n:Priya's> mother that I couldn't come on Sunday.
<n:Tom> and I moved to <p:Leeds> when the baby was born.
Before that we lived in <p:Croydon>, on <p:Dingwall> <p:Road>, above the chemist.
You know <n:Will>, he will always say the same thing.
Will you remember that? I don't think <n:Grace> will.
I was seeing Dr. <n:Okafor> at the <o:Maudsley> for two years.
Mrs. <n:Whitcombe>, my teacher, once locked me in the cupboard.
I started at <o:Tesco> and then I went to <o:Deloitte>, which was worse.
He was born on <d:March> <d:3rd>, <d:1987>, so he's a Pisces.
My number is <c:07700> <c:900> <c:123>, if you need to reach me.
It happened on the <d:14th> <d:of> <d:February>, of all days.
<n:Oluwaseun> thinks I should leave the church.
We went to <p:Gdańsk> to see <n:Mateusz> and his sister <n:Agnieszka>.
I just felt that <n:Siobhán> was laughing at me.
The school, <o:St> <o:Margaret's>, never called me back.
And then <n:Bex> goes, oh come on, and I went home.
I love <n:Hope>, and I hope she knows it.
<n:Mark> my words, that's what he said, and his name is actually <n:Mark>.
I grew up near <p:Chillicothe>, in <p:Ohio>, on a farm.
We drove to <p:Reading> and I was reading the whole way.
Everybody at <o:Kingsway> <o:Primary> knew about my dad.
My email is <c:sarah.p@example.org>, all small letters.
She lives at <c:22> <c:Acacia> <c:Avenue>, next to the pub.
<n:Nguyen> is my surname, people never get it right.
I think <n:Jonno's> the only one who asks how I am.
In <p:Kraków> it was easier, nobody there knew us.
They call me <n:Tash> at home, never <n:Natasha>.
My therapist before you, <n:Elaine>, used to hum when I cried.
It was <n:Auntie> <n:Comfort> who brought me up, really.
My ex, <n:Marlon> <n:Baptiste>, still has the keys.
He works for the <o:Met>, so I can't say anything.
I said to <n:Ali>, I'm not your mother.
<n:Jesús> was a good boss, but the hotel closed.
I'm from <p:Bath>, so I take baths, that's the joke.
My postcode is <c:CR0> <c:2YR>, if that helps.
We got married in <p:Las> <p:Vegas>, which tells you everything.
When <n:Khadija> left I stopped sleeping.
Honestly, <n:Mohammed> is the calm one.
"""

BARE = """
my name is <n:sarah> and i'm calling about the appointment
so <n:daniel> said he'd pick the kids up and then he didn't
i told <n:priya's> mother that i couldn't come on sunday
<n:tom> and i moved to <p:leeds> when the baby was born
before that we lived in <p:croydon> above the chemist
i was seeing doctor <n:okafor> for two years
mrs <n:whitcombe> my teacher once locked me in the cupboard
my number is <c:oh> <c:seven> <c:seven> <c:double> <c:oh> <c:nine> <c:hundred> <c:one> <c:two> <c:three>
it happened on the <d:fourteenth> <d:of> <d:february> of all days
<n:oluwaseun> thinks i should leave the church
we went to <p:warsaw> to see <n:mateusz> and his sister <n:agnieszka>
i just felt that <n:siobhan> was laughing at me
and then <n:bex> goes oh come on and i went home
i grew up near <p:chillicothe> in <p:ohio> on a farm
they call me <n:tash> at home never <n:natasha>
my therapist before you <n:elaine> used to hum when i cried
i said to <n:ali> i'm not your mother
i'm <n:jennifer> by the way
this is my son <n:kofi>
when <n:khadija> left i stopped sleeping
um <n:liam> and <n:zoe> were in the car with <n:rachel>
we flew to <p:istanbul> and then to <p:toronto>
he lives in <p:manchester> now with a woman called <n:bianca>
i went to <p:texas> for my brother's wedding
honestly <n:mohammed> is the calm one
"""

NOTHING = """
I don't know, I think I'm just tired, and it's Monday.
My mum says I should talk to God about it, and Dad agrees.
At Christmas I always feel it, and then in January it goes.
CBT didn't do much for me, and the GP put me on tablets.
Well, you asked me, and I said what I thought.
OK. Yeah. So. Anyway, it was the usual.
I had two of them, then three, and I was fine with that.
Can we go back to what you said about my brother?
i think it was tuesday or maybe wednesday when i wrote it down
may i say something about last week
the rose was in the garden and i had faith that it would grow
it was a joy and a grace to be there i hope you know that
"""
