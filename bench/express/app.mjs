// The founding app: what the Express + Passport tutorials build, written anew
// for this comparison. Neither tuned nor slowed: library defaults throughout.
import bcrypt from 'bcrypt';
import express from 'express';
import jwt from 'jsonwebtoken';
import mongoose from 'mongoose';
import passport from 'passport';
import { ExtractJwt, Strategy as JwtStrategy } from 'passport-jwt';
import { Strategy as LocalStrategy } from 'passport-local';

const { PORT, MONGO_URL, JWT_SECRET } = process.env;
for (const [name, value] of Object.entries({ PORT, MONGO_URL, JWT_SECRET })) {
  if (!value) {
    console.error(`express: ${name} is not set`);
    process.exit(1);
  }
}

const userSchema = new mongoose.Schema({
  email: { type: String, required: true, unique: true },
  password: { type: String, required: true },
});
userSchema.pre('save', async function () {
  if (this.isModified('password')) {
    this.password = await bcrypt.hash(this.password, 10);
  }
});
userSchema.methods.isValidPassword = function (password) {
  return bcrypt.compare(password, this.password);
};
const User = mongoose.model('User', userSchema);

const fields = { usernameField: 'email', passwordField: 'password' };

passport.use('signup', new LocalStrategy(fields, async (email, password, done) => {
  try {
    done(null, await User.create({ email, password }));
  } catch (err) {
    done(err);
  }
}));

passport.use('login', new LocalStrategy(fields, async (email, password, done) => {
  try {
    const user = await User.findOne({ email });
    if (!user) return done(null, false, { message: 'User not found' });
    if (!(await user.isValidPassword(password))) return done(null, false, { message: 'Wrong password' });
    done(null, user, { message: 'Logged in' });
  } catch (err) {
    done(err);
  }
}));

const tokenOf = ExtractJwt.fromExtractors([
  ExtractJwt.fromUrlQueryParameter('secret_token'),
  ExtractJwt.fromAuthHeaderAsBearerToken(),
]);

// As in the tutorials the token alone says who it is: no query per request.
passport.use(new JwtStrategy({ secretOrKey: JWT_SECRET, jwtFromRequest: tokenOf }, (payload, done) => {
  done(null, payload.user);
}));

const app = express();
app.use(express.urlencoded({ extended: false }));
app.use(express.json());

app.post('/signup', passport.authenticate('signup', { session: false }), (req, res) => {
  res.json({ message: 'Signup successful', user: req.user });
});

app.post('/login', passport.authenticate('login', { session: false }), (req, res) => {
  const user = { _id: req.user._id, email: req.user.email };
  res.json({ token: jwt.sign({ user }, JWT_SECRET) });
});

app.get('/user/profile', passport.authenticate('jwt', { session: false }), (req, res) => {
  res.json({ message: 'You made it to the secure route', user: req.user, token: tokenOf(req) });
});

app.use((err, req, res, _next) => {
  res.status(err.status ?? 500).json({ error: err.message });
});

await mongoose.connect(MONGO_URL);
await User.init(); // the unique index, before the first signup can race it
const server = app.listen(Number(PORT), '127.0.0.1');
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => mongoose.disconnect());
    server.closeAllConnections();
  });
}
